package sns

import (
	"errors"
	"fmt"
	"net/url"
)

// The reasons that Reason returns.
const (
	reasonMalformed              = "malformed"
	reasonTooLarge               = "too_large"
	reasonSignature              = "signature"
	reasonCertificateURL         = "certificate_url"
	reasonCertificate            = "certificate"
	reasonCertificateTime        = "certificate_time"
	reasonCertificateUnavailable = "certificate_unavailable"
	reasonCertificateMissing     = "certificate_missing"
	reasonConfirmRefused         = "confirmation_refused"
	reasonConfirmUnavailable     = "confirmation_unavailable"
)

// failure is every error of Open and Confirm. Its text quotes nothing of
// a message but the host of a refused certificate URL.
type failure struct {
	reason string
	err    error
}

func (f *failure) Error() string { return "sns: " + f.reason + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(reason, format string, args ...any) error {
	return &failure{reason, fmt.Errorf(format, args...)}
}

// Forged reports whether err is final: the message is malformed or too large,
// its signature is not SNS's, or its certificate is on an unexpected host, is
// unsuitable or was not valid when the message was sent.
func Forged(err error) bool {
	switch Reason(err) {
	case reasonMalformed, reasonTooLarge, reasonSignature, reasonCertificateURL, reasonCertificate, reasonCertificateTime:
		return true
	}
	return false
}

// Unavailable reports whether err does not depend on the message: its certificate
// is unavailable at the moment, or SNS could not be reached to confirm it. A retry
// may succeed.
func Unavailable(err error) bool {
	switch Reason(err) {
	case reasonCertificateUnavailable, reasonCertificateMissing, reasonConfirmUnavailable:
		return true
	}
	return false
}

// CertificateMissing reports whether SNS's host answered that there is no such
// certificate. That may be temporary, so it is Unavailable; if it lasts, the
// message is not from SNS.
func CertificateMissing(err error) bool { return Reason(err) == reasonCertificateMissing }

// Reason returns a short word for metrics and logs that stays the same between
// releases, and nothing if err is not an error of this package. Of Open, those
// that are Forged: malformed, too_large, signature, certificate_url (not one of
// SNS's in the topic's region), certificate (it is unsuitable), certificate_time
// (not valid when the message was sent). Unavailable: certificate_unavailable,
// certificate_missing (SNS's host answers that it does not exist). Of Confirm:
// confirmation_unavailable, and confirmation_refused, which is neither: SNS
// refuses the token, for example because it has expired.
func Reason(err error) string {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.reason
	}
	return ""
}

// cause strips the method and URL that net/http puts before an error: the URL
// of a confirmation holds its token.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

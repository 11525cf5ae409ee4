package amazonpay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Error is an answer that the call cannot succeed with: Amazon's refusal, a
// redirect, or a response that makes no sense.
type Error struct {
	StatusCode int // HTTP's

	// ReasonCode is Amazon's, such as TooManyRequests; empty if it gave none.
	// It holds letters, digits, dots, dashes and underscores only, at most 64.
	ReasonCode string

	// Message is Amazon's explanation in English, at most 300 characters.
	Message string

	// RetryAfter is how long Amazon asked to wait; 0 if it did not. At most five
	// minutes.
	RetryAfter time.Duration

	Response Response

	// Err is why a response of success could not be used, or why a response
	// broke off; nil otherwise.
	Err error
}

// Error returns status, reason code, message and request id as text.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP status %d", e.StatusCode)
	if e.ReasonCode != "" {
		b.WriteString(" " + e.ReasonCode)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %q", e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Response.RequestID != "" {
		b.WriteString(" (request " + e.Response.RequestID + ")")
	}
	return b.String()
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// The reason codes that an update of a wallet turns on. Amazon has many more
// (Amazon Pay API, "Error handling").
const (
	// ReasonCheckoutSessionCanceled: the buyer cancelled, had no valid payment
	// method, or took too long.
	ReasonCheckoutSessionCanceled = "CheckoutSessionCanceled"
	// ReasonInvalidCheckoutSessionStatus: the session is completed or cancelled
	// already.
	ReasonInvalidCheckoutSessionStatus = "InvalidCheckoutSessionStatus"
	// ReasonDuplicateIdempotencyKey: the key was used for another request.
	ReasonDuplicateIdempotencyKey = "DuplicateIdempotencyKey"
)

// ReasonCode returns Amazon's reason code, and nothing if err is no answer of
// Amazon's or has none.
func ReasonCode(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.ReasonCode
	}
	return ""
}

// NotFound reports whether Amazon does not know the object.
func NotFound(err error) bool {
	return status(err) == http.StatusNotFound
}

// Throttled reports whether the merchant account's quota is used up, and how
// long Amazon asked to wait: 0 if it did not say.
func Throttled(err error) (retryAfter time.Duration, ok bool) {
	if status(err) != http.StatusTooManyRequests {
		return 0, false
	}
	e, _ := errors.AsType[*Error](err)
	return e.RetryAfter, true
}

// Misconfigured reports whether someone must change the configuration before any call of the
// account can succeed: the key or its signature was refused, Amazon wants
// another version of TLS, or the host's certificate is not trusted.
func Misconfigured(err error) bool {
	if KeyRefused(err) || status(err) == http.StatusUpgradeRequired {
		return true
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// KeyRefused reports whether Amazon refused the key or the signature made with
// it, whatever the object of the call.
func KeyRefused(err error) bool {
	switch ReasonCode(err) {
	case "InvalidAuthentication", "InvalidAuthorizationToken", "InvalidRequestSignature":
		return true
	}
	return false
}

// ObjectRefused reports whether Amazon refused the call with 401 or 403 and did
// not blame the key: the object may be another merchant's. If every object is
// refused in this way, it is the account that is at fault.
func ObjectRefused(err error) bool {
	s := status(err)
	return (s == http.StatusUnauthorized || s == http.StatusForbidden) && !KeyRefused(err)
}

// NotCalled wraps an error that came before the call was made, such as a private
// key that is unavailable: Amazon knows nothing of it.
func NotCalled(err error) error { return &notCalledError{err} }

// WasNotCalled reports whether err is one that NotCalled wrapped.
func WasNotCalled(err error) bool {
	_, ok := errors.AsType[*notCalledError](err)
	return ok
}

type notCalledError struct{ err error }

func (e *notCalledError) Error() string { return "Amazon Pay was not called: " + e.err.Error() }

func (e *notCalledError) Unwrap() error { return e.err }

// Temporary reports whether the same call is worth making again, a little
// later: statuses 408, 425, 429 and 5xx, connections that broke, and time-outs.
// A call that the caller's context ended is one of them, since nothing was
// learnt. Whether Amazon acted on it is not known.
func Temporary(err error) bool {
	switch s := status(err); {
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests:
		return true
	case s >= 500:
		return true
	}
	_, broken := errors.AsType[*transportError](err)
	return broken && !Misconfigured(err)
}

// status returns the HTTP status that an error's reason code stands for, that
// of the response if the code says nothing, and 0 if there was no answer.
func status(err error) int {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return 0
	}
	if s, ok := statusOf[e.ReasonCode]; ok {
		return s
	}
	return e.StatusCode
}

// statusOf gives each documented reason code its status (Amazon Pay API, "Error
// handling"). Amazon asks callers to decide on the reason code.
var statusOf = map[string]int{
	"AmazonRejected":                    422,
	"AmountMismatch":                    409,
	"CheckoutSessionCanceled":           422, // 400 is seen too
	"CurrencyMismatch":                  400,
	"DuplicateIdempotencyKey":           400,
	"HardDeclined":                      422,
	"InternalServerError":               500,
	"InvalidAPIVersion":                 400,
	"InvalidAccountStatus":              403,
	"InvalidAuthentication":             403,
	"InvalidAuthorizationToken":         403,
	"InvalidChargePermissionStatus":     422,
	"InvalidChargeStatus":               422,
	"InvalidCheckoutSessionStatus":      422,
	"InvalidHeaderValue":                400,
	"InvalidParameterCombination":       400,
	"InvalidParameterValue":             400,
	"InvalidRequest":                    400,
	"InvalidRequestFormat":              400,
	"InvalidRequestSignature":           403,
	"InvalidSandboxSimulationSpecified": 400,
	"MFANotCompleted":                   422,
	"MissingHeader":                     400,
	"MissingHeaderValue":                400,
	"MissingParameterValue":             400,
	"PaymentMethodNotAllowed":           422,
	"PeriodicAmountExceeded":            400,
	"ProcessingFailure":                 500,
	"RequestNotSupported":               405,
	"RequestTimeout":                    408,
	"ResourceNotFound":                  404,
	"ServiceUnavailable":                503,
	"SoftDeclined":                      422,
	"TLSVersionNotSupported":            426,
	"TooManyRequests":                   429,
	"TransactionAmountExceeded":         400,
	"TransactionCountExceeded":          422,
	"TransactionTimedOut":               422,
	"UnauthorizedAccess":                401,
	"UnrecognizedField":                 400,
	"UnsupportedOperation":              405,
}

var errTooLarge = errors.New("the response is too large")

// transportError is a call without a whole answer.
type transportError struct{ err error }

// Error does not quote unknown errors: those of net/http about a malformed
// response contain parts of it.
func (e *transportError) Error() string {
	switch {
	case errors.Is(e.err, context.DeadlineExceeded):
		return "timed out"
	case errors.Is(e.err, context.Canceled):
		return "canceled"
	case errors.Is(e.err, io.EOF), errors.Is(e.err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	if err, ok := errors.AsType[*net.OpError](e.err); ok {
		return err.Error()
	}
	if err, ok := errors.AsType[*tls.CertificateVerificationError](e.err); ok {
		return err.Error()
	}
	if err, ok := errors.AsType[proxyError](e.err); ok {
		return err.Error()
	}
	return "the connection broke"
}

func (e *transportError) Unwrap() error { return e.err }

// proxyError is the HTTP status with which a proxy refused to connect.
type proxyError int

func (e proxyError) Error() string { return fmt.Sprintf("the proxy answered HTTP status %d", int(e)) }

// cause strips the method and URL that net/http puts before an error: the call
// names itself.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// maxRetryAfter bounds what a Retry-After header can ask for: it pauses an
// account's calls, and Amazon's quota is restored every second.
const maxRetryAfter = 5 * time.Minute

// retryAfter reads the header of that name (RFC 9110 section 10.2.3): seconds,
// or a date, which is compared with the answer's own.
func retryAfter(value string, date time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(date)), maxRetryAfter)
}

// clip shortens s to at most n bytes, on a character's border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// printable is clip, without what does not print.
func printable(s string, n int) string {
	return clip(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, clip(s, 4*n)), n)
}

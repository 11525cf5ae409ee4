package twin

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"mime"
	"net"
	"slices"
	"strings"
	"time"
)

// maxSkew is how far x-amz-pay-date may be from Amazon's clock. What Amazon
// allows is not documented.
const maxSkew = 5 * time.Minute

// requiredHeaders must come with every request and be signed.
func requiredHeaders() []string {
	return []string{"accept", "content-type", "x-amz-pay-date", "x-amz-pay-host", "x-amz-pay-region"}
}

// refusal is an error of the API that a request met before any call saw it.
type refusal struct {
	status  int
	reason  string // reasonCode
	message string
	differs []string  // what differs, a sentence each; for people
	arrived canonical // the twin's canonical request, if it came so far
}

func refuse(status int, reason, format string, args ...any) *refusal {
	return &refusal{status: status, reason: reason, message: fmt.Sprintf(format, args...)}
}

// authenticate returns the account that signed the request, or why it is
// refused. The signature is checked before any value, so that a changed byte
// is called what it is.
func (t *Twin) authenticate(a *arrival) (*account, *refusal) {
	if r := present(*a, "authorization"); r != nil {
		return nil, r
	}
	auth, err := parseAuthorization(a.header.Get("Authorization"))
	if err != nil {
		return nil, refuse(400, "InvalidHeaderValue", "The value provided for authorization is invalid: %v.", err)
	}
	a.auth = auth
	arrived := readings(*a)[0]
	explained := func(r *refusal) *refusal {
		r.arrived, r.differs = arrived, t.explain(auth.publicKeyID, auth.algorithm, auth.signature, requestDocument(*a, arrived))
		return r
	}
	for _, name := range auth.signedHeaders {
		if len(a.values(name)) == 0 {
			return nil, explained(refuse(400, "MissingHeader", "The header %s is missing: SignedHeaders names it, and it did not arrive.", strings.ToLower(name)))
		}
	}
	for _, name := range requiredHeaders() {
		if r := present(*a, name); r != nil {
			return nil, r
		}
	}
	holders := t.holders(auth.publicKeyID)
	if len(holders) == 0 {
		return nil, explained(refuse(403, "InvalidAuthentication", "The PublicKeyId %s is not known.", clip(auth.publicKeyID, 64)))
	}
	verified, ok := verify(*a, holders[0].PublicKey)
	if !ok {
		return nil, explained(refuse(403, "InvalidRequestSignature", "Unable to verify signature, signing String [%s] , signature [%s].",
			stringToSign(auth.algorithm.name, arrived.text()), clip(auth.signatureText, 1024)))
	}
	owner, r := t.checkValues(*a, holders)
	if missing := checkSigned(*a); missing != nil {
		owner, r = nil, missing
	}
	if r != nil {
		r.arrived = verified
	}
	return owner, r
}

// present refuses a request without a header, or with an empty one.
func present(a arrival, name string) *refusal {
	values := a.values(name)
	if len(values) == 0 {
		return refuse(400, "MissingHeader", "The header %s is missing.", name)
	}
	if strings.Join(values, "") == "" {
		return refuse(400, "MissingHeaderValue", "The header %s has no value.", name)
	}
	return nil
}

// holders returns the accounts of a key id. One key may serve both
// environments of a merchant.
func (t *Twin) holders(publicKeyID string) []*account {
	var all []*account
	for _, a := range t.accounts {
		if a.PublicKeyID == publicKeyID {
			all = append(all, a)
		}
	}
	return all
}

// verify returns the canonical request that the signature is over, in
// whichever dialect.
func verify(a arrival, pub *rsa.PublicKey) (canonical, bool) {
	for _, c := range readings(a) {
		digest := sha256.Sum256([]byte(stringToSign(a.auth.algorithm.name, c.text())))
		options := &rsa.PSSOptions{SaltLength: a.auth.algorithm.salt, Hash: crypto.SHA256}
		if rsa.VerifyPSS(pub, crypto.SHA256, digest[:], a.auth.signature, options) == nil {
			return c, true
		}
	}
	return nil, false
}

// checkSigned refuses a genuine signature that leaves out what must be signed.
func checkSigned(a arrival) *refusal {
	must := requiredHeaders()
	if a.header.Get(idempotencyHeader) != "" {
		must = append(must, idempotencyHeader)
	}
	for _, name := range must {
		if !slices.ContainsFunc(a.auth.signedHeaders, func(s string) bool { return strings.EqualFold(s, name) }) {
			r := refuse(403, "InvalidRequestSignature", "The header %s is not signed.", name)
			r.differs = []string{"the names of the signed headers: " + name + " is not among them"}
			return r
		}
	}
	return nil
}

// checkValues checks what the signed headers say, and which of the key's
// accounts is meant.
func (t *Twin) checkValues(a arrival, holders []*account) (*account, *refusal) {
	invalid := func(name, format string, args ...any) *refusal {
		return refuse(400, "InvalidHeaderValue", "The value %s provided for %s %s", clip(strings.Join(a.values(name), ","), 80), name, fmt.Sprintf(format, args...))
	}
	for _, name := range []string{"accept", "content-type"} {
		media, _, err := mime.ParseMediaType(a.header.Get(name))
		if err != nil || media != "application/json" {
			return nil, invalid(name, "is not application/json.")
		}
	}
	date, err := parseDate(a.header.Get("X-Amz-Pay-Date"))
	if err != nil {
		return nil, invalid("x-amz-pay-date", "is neither of the form 20201012T235046Z nor 2020-10-12T23:50:46Z.")
	}
	switch ahead := date.Sub(t.now()); {
	case ahead > maxSkew:
		return nil, invalid("x-amz-pay-date", "should not be in future: it is %v ahead.", ahead.Round(time.Second))
	case ahead < -maxSkew:
		return nil, invalid("x-amz-pay-date", "is expired: it is %v old.", (-ahead).Round(time.Second))
	}
	if host := a.header.Get("X-Amz-Pay-Host"); !strings.EqualFold(host, a.host) && !strings.EqualFold(host, hostname(a.host)) {
		return nil, invalid("x-amz-pay-host", "is not the host that was called, %s.", a.host)
	}
	region, known := regionOf(a.header.Get("X-Amz-Pay-Region"))
	if !known {
		return nil, invalid("x-amz-pay-region", "is none of na, eu, jp.")
	}
	return owner(a, holders, region)
}

// owner returns the account of a key that path, region and host point to.
func owner(a arrival, holders []*account, region string) (*account, *refusal) {
	environment := keyEnvironment(a.auth.publicKeyID)
	first, _, _ := strings.Cut(strings.TrimPrefix(collapse(a.path), "/"), "/")
	inPath := first == "live" || first == "sandbox"
	switch {
	case environment != "" && inPath:
		return nil, refuse(400, "InvalidRequest", "The key id %s chooses the environment: the path begins with /v2/, not with /%s/.", a.auth.publicKeyID, first)
	case environment == "" && !inPath:
		return nil, refuse(400, "InvalidRequest", "The key id %s leaves the environment to the path, which must begin with /live/ or /sandbox/.", a.auth.publicKeyID)
	case environment == "":
		environment = first
	}
	for _, h := range holders {
		if h.Environment != environment {
			continue
		}
		if h.Region != region {
			return nil, refuse(400, "InvalidHeaderValue", "The value %s provided for x-amz-pay-region is not the account's, which is %s.", region, h.Region)
		}
		own := regions[h.Region].apiHost
		if host := strings.ToLower(hostname(a.host)); host != own && (host == regions["na"].apiHost || host == regions["eu"].apiHost || host == regions["jp"].apiHost) {
			return nil, refuse(403, "InvalidAuthentication", "The PublicKeyId %s is not known at %s: the account's host is %s.", h.PublicKeyID, host, own)
		}
		return h, nil
	}
	return nil, refuse(403, "InvalidAuthentication", "The PublicKeyId %s is not known in %s.", a.auth.publicKeyID, environment)
}

// parseDate parses x-amz-pay-date: the documentation, PHP and Java write the
// one form, Node the other.
func parseDate(s string) (time.Time, error) {
	if d, err := time.Parse("20060102T150405Z", s); err == nil {
		return d, nil
	}
	return time.Parse("2006-01-02T15:04:05Z", s)
}

// hostname returns a host without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// body returns the error as the API words it. The member "twin" is the twin's
// own: Amazon has none.
func (r *refusal) body() any {
	type own struct {
		Differs          []string `json:"differs,omitempty"`
		CanonicalRequest []string `json:"canonicalRequest"`
	}
	body := struct {
		ReasonCode string `json:"reasonCode"`
		Message    string `json:"message"`
		Twin       *own   `json:"twin,omitempty"`
	}{r.reason, r.message, nil}
	if len(r.differs) > 0 {
		body.Message += " What differs: " + strings.Join(r.differs, "; ") + "."
	}
	if r.arrived != nil {
		body.Twin = &own{r.differs, r.arrived.numbered()}
	}
	return body
}

package twin

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// algorithm is one of the two that Amazon Pay signs with: RSASSA-PSS with
// SHA-256 and MGF1-SHA-256; they differ in the length of the salt alone
// ("Amazon Pay API v2: signing requests", and the SDKs).
type algorithm struct {
	name string
	salt int // bytes
}

func algorithms() []algorithm {
	return []algorithm{
		{"AMZN-PAY-RSASSA-PSS", 20},
		{"AMZN-PAY-RSASSA-PSS-V2", 32},
	}
}

// authorization is the authorization header, taken apart.
type authorization struct {
	algorithm     algorithm
	publicKeyID   string
	signedHeaders []string // as the signer wrote them, in its order
	signature     []byte   // nil if signatureText is not base64
	signatureText string
}

// The header of a request with a hundred signed headers has some 4 kB.
const (
	maxAuthorization = 8 << 10
	maxSignedHeaders = 100
)

// authorizationForm is how the documentation and every SDK write it. A header's
// name has the characters of RFC 9110, section 5.6.2.
var authorizationForm = regexp.MustCompile("^(\\S+) +PublicKeyId=([^,\\s]+), *SignedHeaders=([A-Za-z0-9!#$%&'*+.^_`|~;-]+), *Signature=([^,\\s]+)$")

// parseAuthorization takes the header apart. A signature that is not base64 is
// no error here: it is a wrong signature.
func parseAuthorization(s string) (authorization, error) {
	var a authorization
	if len(s) > maxAuthorization {
		return a, fmt.Errorf("it is longer than %d bytes", maxAuthorization)
	}
	m := authorizationForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return a, errors.New("it is not of the form {algorithm} PublicKeyId={id}, SignedHeaders={a;b;c}, Signature={base64}")
	}
	i := slices.IndexFunc(algorithms(), func(known algorithm) bool { return known.name == m[1] })
	if i < 0 {
		return a, fmt.Errorf("the algorithm %q is neither AMZN-PAY-RSASSA-PSS nor AMZN-PAY-RSASSA-PSS-V2", clip(m[1], 40))
	}
	a = authorization{algorithm: algorithms()[i], publicKeyID: m[2], signedHeaders: strings.Split(m[3], ";"), signatureText: m[4]}
	if len(a.signedHeaders) > maxSignedHeaders {
		return a, fmt.Errorf("SignedHeaders has more than %d names", maxSignedHeaders)
	}
	seen := map[string]bool{"": true, "authorization": true} // which cannot sign itself
	for _, name := range a.signedHeaders {
		lower := strings.ToLower(name)
		if seen[lower] {
			return a, fmt.Errorf("SignedHeaders has %q, which is empty, authorization itself, or there twice", lower)
		}
		seen[lower] = true
	}
	if sig, err := base64.StdEncoding.DecodeString(a.signatureText); err == nil {
		a.signature = sig
	}
	return a, nil
}

// clip shortens s for a message.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

package twin

import (
	"encoding/base64"
	"errors"
	"fmt"
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

// parseAuthorization parses
//
//	{algorithm} PublicKeyId={id}, SignedHeaders={a;b;c}, Signature={base64}
//
// A signature that is not base64 is no error here: it is a wrong signature.
func parseAuthorization(s string) (authorization, error) {
	var a authorization
	if len(s) > maxAuthorization {
		return a, fmt.Errorf("it is longer than %d bytes", maxAuthorization)
	}
	name, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	for _, known := range algorithms() {
		if name == known.name {
			a.algorithm = known
		}
	}
	if a.algorithm.name == "" {
		return a, fmt.Errorf("the algorithm %q is neither AMZN-PAY-RSASSA-PSS nor AMZN-PAY-RSASSA-PSS-V2", clip(name, 40))
	}
	var names string
	fields := map[string]*string{"PublicKeyId": &a.publicKeyID, "SignedHeaders": &names, "Signature": &a.signatureText}
	for _, part := range strings.Split(rest, ",") {
		key, value, found := strings.Cut(strings.TrimSpace(part), "=")
		field := fields[key]
		if !found || field == nil {
			return a, fmt.Errorf("%q is none of PublicKeyId=…, SignedHeaders=…, Signature=…", clip(part, 40))
		}
		if *field != "" {
			return a, fmt.Errorf("%s is given twice", key)
		}
		if value == "" {
			return a, fmt.Errorf("%s is empty", key)
		}
		*field = value
	}
	for key, field := range fields {
		if *field == "" {
			return a, fmt.Errorf("%s is missing", key)
		}
	}
	if err := a.parseSignedHeaders(names); err != nil {
		return a, err
	}
	if sig, err := base64.StdEncoding.DecodeString(a.signatureText); err == nil {
		a.signature = sig
	}
	return a, nil
}

func (a *authorization) parseSignedHeaders(names string) error {
	a.signedHeaders = strings.Split(names, ";")
	if len(a.signedHeaders) > maxSignedHeaders {
		return fmt.Errorf("SignedHeaders has more than %d names", maxSignedHeaders)
	}
	seen := map[string]bool{}
	for _, name := range a.signedHeaders {
		if name == "" || strings.IndexFunc(name, notHeaderName) >= 0 {
			return fmt.Errorf("SignedHeaders has %q, which is no header's name", clip(name, 40))
		}
		lower := strings.ToLower(name)
		if seen[lower] {
			return fmt.Errorf("SignedHeaders has %s twice", lower)
		}
		seen[lower] = true
	}
	if seen["authorization"] {
		return errors.New("SignedHeaders has authorization, which cannot sign itself")
	}
	return nil
}

// notHeaderName reports whether r cannot be in a header's name (RFC 9110,
// section 5.6.2).
func notHeaderName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// clip shortens s for a message.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

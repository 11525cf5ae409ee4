// Package merchant has the facts of a merchant account at Amazon Pay: region,
// environment, currencies and how it signs. It is apart from the client for those
// who must not link that. Standard library only.
package merchant

import "strings"

// Region is a part of the world with an Amazon Pay of its own.
type Region string

// The regions (Amazon Pay API, "Endpoints").
const (
	NA Region = "NA" // the United States
	EU Region = "EU" // Europe and the United Kingdom
	JP Region = "JP" // Japan
)

// ParseRegion returns the region of a name that Amazon's SDKs know, in any case.
func ParseRegion(s string) (Region, bool) {
	switch strings.ToLower(s) {
	case "na", "us":
		return NA, true
	case "eu", "de", "uk":
		return EU, true
	case "jp", "fe":
		return JP, true
	}
	return "", false
}

// Host returns the name of the region's API host, empty for what is no region.
func (r Region) Host() string {
	switch r {
	case NA:
		return "pay-api.amazon.com"
	case EU:
		return "pay-api.amazon.eu"
	case JP:
		return "pay-api.amazon.jp"
	}
	return ""
}

// CheckoutScript returns the URL of the region's checkout.js, empty for what is
// no region (Amazon Pay Checkout, "Add the Amazon Pay script").
func (r Region) CheckoutScript() string {
	switch r {
	case NA:
		return "https://static-na.payments-amazon.com/checkout.js"
	case EU:
		return "https://static-eu.payments-amazon.com/checkout.js"
	case JP:
		return "https://static-fe.payments-amazon.com/checkout.js"
	}
	return ""
}

// CheckoutLanguages returns the languages that the region's checkout.js takes,
// the usual one first. It throws when it is given another.
func (r Region) CheckoutLanguages() []string {
	switch r {
	case NA:
		return []string{"en_US"}
	case EU:
		return []string{"en_GB", "de_DE", "fr_FR", "it_IT", "es_ES"}
	case JP:
		return []string{"ja_JP"}
	}
	return nil
}

// LedgerCurrencies returns the currencies that the region's checkout.js takes.
// It throws when it is given another.
func (r Region) LedgerCurrencies() []string {
	switch r {
	case NA:
		return []string{"USD"}
	case EU:
		return []string{"EUR", "GBP"}
	case JP:
		return []string{"JPY"}
	}
	return nil
}

// Environment is one of Amazon Pay's two.
type Environment string

// The environments. Sandbox knows other keys and charge permissions than Live,
// and moves no money.
const (
	Live    Environment = "live"
	Sandbox Environment = "sandbox"
)

// ParseEnvironment returns the environment of that name, in any case.
func ParseEnvironment(s string) (Environment, bool) {
	e := Environment(strings.ToLower(s))
	return e, e == Live || e == Sandbox
}

// KeyEnvironment returns the environment that a public key id is bound to, and
// false if it is good for either. Ids made since environment-specific keys
// exist begin with LIVE or SANDBOX.
func KeyEnvironment(publicKeyID string) (Environment, bool) {
	switch id := strings.ToUpper(publicKeyID); {
	case strings.HasPrefix(id, "LIVE"):
		return Live, true
	case strings.HasPrefix(id, "SANDBOX"):
		return Sandbox, true
	}
	return "", false
}

// Algorithm is how requests and button payloads are signed: RSASSA-PSS with
// SHA-256 and MGF1 of SHA-256 (RFC 8017), with one of two salt lengths.
type Algorithm string

// The algorithms (Amazon Pay API, "Signing requests").
const (
	PSSV2 Algorithm = "AMZN-PAY-RSASSA-PSS-V2" // salt of 32 bytes
	PSS   Algorithm = "AMZN-PAY-RSASSA-PSS"    // salt of 20 bytes; the default of checkout.js
)

// SaltLength returns the salt's bytes, and 0 for what is no algorithm.
func (a Algorithm) SaltLength() int {
	switch a {
	case PSSV2:
		return 32
	case PSS:
		return 20
	}
	return 0
}

package amazonpay

import (
	"fmt"
	"strings"
)

// Region is a part of the world with an Amazon Pay of its own. Its text is
// what Amazon's signatures call it.
type Region string

// The regions (Amazon Pay API, "Endpoints").
const (
	NA Region = "na" // the United States
	EU Region = "eu" // Europe and the United Kingdom
	JP Region = "jp" // Japan
)

// ParseRegion returns the region that s names, whatever its case.
func ParseRegion(s string) (Region, error) {
	if r := Region(strings.ToLower(s)); r.Host() != "" {
		return r, nil
	}
	return "", fmt.Errorf("amazonpay: region %q is none of NA, EU and JP", clip(s, 40))
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

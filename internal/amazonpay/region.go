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

// ParseRegion returns the region that s names, whatever its case. Besides the
// regions' own names it knows those of Amazon's SDKs and checkout scripts: us
// for NA, de and uk for EU, fe for JP.
func ParseRegion(s string) (Region, error) {
	switch strings.ToLower(s) {
	case "na", "us":
		return NA, nil
	case "eu", "de", "uk":
		return EU, nil
	case "jp", "fe":
		return JP, nil
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

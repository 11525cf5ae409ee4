package html

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Policy is a Content Security Policy: the sources that each directive allows
// (W3C, Content Security Policy Level 3).
type Policy map[string][]string

// Strict allows nothing at all. Pages add what they need.
func Strict() Policy {
	return Policy{
		"default-src":     {"'none'"},
		"base-uri":        {"'none'"},
		"form-action":     {"'none'"},
		"frame-ancestors": {"'none'"},
	}
}

var (
	directive = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	source    = regexp.MustCompile(`^[!-+\--:<-~]+$`) // visible ASCII without comma and semicolon
)

// Validate says which directive or source would break the header.
func (p Policy) Validate() error {
	for name, sources := range p {
		if !directive.MatchString(name) {
			return fmt.Errorf("content security policy: %q is not a directive (such as connect-src)", name)
		}
		for _, s := range sources {
			if !source.MatchString(s) {
				return fmt.Errorf("content security policy: %q is not one source of %s (such as https://*.example.com)", s, name)
			}
		}
	}
	return nil
}

// With returns both policies as one, merged by directive. Where one of them
// allows something, the other's 'none' falls.
func (p Policy) With(more Policy) Policy {
	all := maps.Clone(p)
	if all == nil {
		all = Policy{}
	}
	for name, sources := range more {
		var merged []string
		for _, s := range slices.Concat(p[name], sources) {
			if s != "'none'" && !slices.Contains(merged, s) {
				merged = append(merged, s)
			}
		}
		if merged == nil {
			merged = []string{"'none'"}
		}
		all[name] = merged
	}
	return all
}

// String returns the policy as the header has it, default-src first.
func (p Policy) String() string {
	names := slices.Sorted(maps.Keys(p))
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == "default-src":
			return -1
		case b == "default-src":
			return 1
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = strings.TrimSpace(name + " " + strings.Join(p[name], " "))
	}
	return strings.Join(parts, "; ")
}

// guards are the security headers of every page, but for the policy.
var guards = map[string]string{
	// A page's URL carries a token, and what it shows is one buyer's.
	"Cache-Control":   "no-store",
	"Referrer-Policy": "no-referrer",
	"X-Robots-Tag":    "noindex",

	"X-Content-Type-Options":       "nosniff",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "browsing-topics=(), camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), serial=(), usb=()",
	// A year, without the merchant's other subdomains, which are not ours to
	// decide upon. Browsers heed it over https alone (RFC 6797, section 8.1).
	"Strict-Transport-Security": "max-age=31536000",
}

// Guard sets the security headers of a page. What the page has set already,
// such as a Referrer-Policy of its own, stays.
func Guard(h http.Header, policy Policy) {
	for name, value := range guards {
		if h.Get(name) == "" {
			h.Set(name, value)
		}
	}
	h.Set("Content-Security-Policy", policy.String())
}

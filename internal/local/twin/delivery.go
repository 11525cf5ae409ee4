package twin

import (
	"regexp"
	"slices"
	"strings"
)

// deliverySpecifications say where a merchant delivers to ("Shipping address
// restriction samples").
type deliverySpecifications struct {
	SpecialRestrictions []string             `json:"specialRestrictions,omitempty"`
	AddressRestrictions *addressRestrictions `json:"addressRestrictions,omitempty"`
}

type addressRestrictions struct {
	Type         string          `json:"type"`
	Restrictions map[string]area `json:"restrictions"` // by country
}

// area is a part of a country, or with neither list all of it.
type area struct {
	StatesOrRegions []string `json:"statesOrRegions,omitempty"`
	ZipCodes        []string `json:"zipCodes,omitempty"`
}

const (
	restrictPOBoxes      = "RestrictPOBoxes"
	restrictPackstations = "RestrictPackstations"
)

// forbids says why an address must not be chosen; "" if it may.
func (d *deliverySpecifications) forbids(a address) string {
	if d == nil {
		return ""
	}
	lines := string(a.AddressLine1 + "\n" + a.AddressLine2 + "\n" + a.AddressLine3)
	switch {
	case slices.Contains(d.SpecialRestrictions, restrictPOBoxes) && poBox.MatchString(lines):
		return "this shop does not deliver to P.O. boxes"
	case slices.Contains(d.SpecialRestrictions, restrictPackstations) && packstation.MatchString(lines):
		return "this shop does not deliver to Packstations"
	}
	if r := d.AddressRestrictions; r != nil && r.covers(a) != (r.Type == "Allowed") {
		return "this shop does not deliver to it"
	}
	return ""
}

var (
	poBox       = regexp.MustCompile(`(?i)\b(p\.? ?o\.? ?box|postfach)\b`)
	packstation = regexp.MustCompile(`(?i)\bpackstation\b`)
)

// covers reports whether the restrictions name an address: its country as a
// whole, or its state or region, or its zip code.
func (r *addressRestrictions) covers(a address) bool {
	area, named := r.Restrictions[string(a.CountryCode)]
	switch {
	case !named:
		return false
	case len(area.StatesOrRegions) == 0 && len(area.ZipCodes) == 0:
		return true
	}
	zip := squeeze(string(a.PostalCode))
	return slices.ContainsFunc(area.StatesOrRegions, func(s string) bool { return strings.EqualFold(s, string(a.StateOrRegion)) }) ||
		slices.ContainsFunc(area.ZipCodes, func(z string) bool {
			start, wild := strings.CutSuffix(squeeze(z), "*")
			return zip == start || wild && strings.HasPrefix(zip, start)
		})
}

// squeeze makes zip codes comparable: 1-2345 and 12 345 are one.
func squeeze(zip string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(zip))
}

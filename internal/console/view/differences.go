package view

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// order is the order of a facet's fields; others follow by name.
var order = []string{
	"name", "line1", "line2", "line3", "postal_code", "city", "county", "district", "state_or_region", "country_code", "phone",
	"payment_descriptors", "state", "reason_codes", "buyer_id", "email", "limit_amount", "limit_currency", "expires_at",
}

// facetOrder is the order of the facets of a first read.
var facetOrder = []string{"shipping_address", "payment_method", "state", "buyer", "billing_address", "limit", "expiry"}

// Differences returns the fields that differ between the two sides of a change,
// never nil. A field that it does not know is returned under its own name.
func Differences(facet string, before, after json.RawMessage) []Difference {
	if facet != "first_read" {
		return fields(facet, object(before), object(after))
	}
	was, is := object(before), object(after)
	all := []Difference{}
	for _, f := range sorted(facetOrder, was, is) {
		all = append(all, fields(f, object(was[f]), object(is[f]))...)
	}
	return all
}

func fields(facet string, was, is map[string]json.RawMessage) []Difference {
	all := []Difference{}
	for _, field := range sorted(order, was, is) {
		b, a := text(was[field]), text(is[field])
		if b == nil && a == nil || b != nil && a != nil && *b == *a {
			continue
		}
		all = append(all, Difference{Facet: facet, Field: field, Before: b, After: a})
	}
	return all
}

// object reads the members of a JSON object; of anything else, none.
func object(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(raw, &m) // null, or no object
	return m
}

// sorted returns the members of both objects in the given order, then by name.
func sorted(order []string, was, is map[string]json.RawMessage) []string {
	seen := map[string]bool{}
	var all []string
	for _, m := range []map[string]json.RawMessage{was, is} {
		for name := range m {
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	place := func(name string) int {
		if i := slices.Index(order, name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortFunc(all, func(a, b string) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return all
}

// text returns a member as text: a string as it is, a list with commas, anything
// else as JSON. It returns nil for null and for a missing member.
func text(raw json.RawMessage) *string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	s := string(raw)
	var one string
	var many []string
	switch {
	case json.Unmarshal(raw, &one) == nil:
		s = one
	case json.Unmarshal(raw, &many) == nil:
		if len(many) == 0 {
			return nil
		}
		s = strings.Join(many, ", ")
	}
	return &s
}

package wallet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// The values of the facets, as the history keeps them. The merchant's
// back-office reads these, so their JSON names are a promise; what is empty is
// left out.
type (
	paymentMethodFacet struct {
		Descriptors []string `json:"payment_descriptors,omitempty"`
	}
	stateFacet struct {
		State   string   `json:"state,omitempty"`
		Reasons []string `json:"reason_codes,omitempty"`
	}
	buyerFacet struct {
		ID    string `json:"buyer_id,omitempty"`
		Name  string `json:"name,omitempty"`
		Email string `json:"email,omitempty"`
		Phone string `json:"phone,omitempty"`
	}
	limitFacet struct {
		Amount   string `json:"limit_amount,omitempty"`
		Currency string `json:"limit_currency,omitempty"`
	}
	expiryFacet struct {
		ExpiresAt time.Time `json:"expires_at,omitzero"`
	}
)

// facets lists the facets of p in the order in which their changes are recorded.
// A new balance alone is no change, nor is a new state time or a new wording of
// a reason.
func facets(p *ChargePermission) []struct {
	name  Facet
	value any
} {
	var reasons []string
	for _, r := range p.Reasons {
		reasons = append(reasons, r.Code)
	}
	return []struct {
		name  Facet
		value any
	}{
		{FacetShippingAddress, p.Shipping},
		{FacetPaymentMethod, paymentMethodFacet{p.PaymentDescriptors}},
		{FacetState, stateFacet{p.State.State, reasons}},
		{FacetBuyer, buyerFacet{p.BuyerID, p.BuyerName, p.BuyerEmail, p.BuyerPhone}},
		{FacetBillingAddress, p.Billing},
		{FacetLimit, limitFacet{p.LimitAmount, p.LimitCurrency}},
		{FacetExpiry, expiryFacet{p.ExpiresAt.UTC()}},
	}
}

// Diff returns the facets in which after differs from before, in a fixed order.
// Before is nil when nothing was stored yet: that is one change, FacetFirstRead.
func Diff(before *ChargePermission, after *ChargePermission) []Change {
	now := facets(after)
	if before == nil {
		whole := make(map[Facet]json.RawMessage, len(now))
		for _, f := range now {
			if v := encode(f.value); v != nil {
				whole[f.name] = v
			}
		}
		return []Change{{Facet: FacetFirstRead, After: encode(whole)}}
	}
	var changes []Change
	for i, was := range facets(before) {
		is := now[i]
		if !same(was.value, is.value) {
			changes = append(changes, Change{Facet: is.name, Before: encode(was.value), After: encode(is.value)})
		}
	}
	return changes
}

// same compares two values of one facet; an empty list is the same as none, and
// 500 the same amount as 500.00.
func same(a, b any) bool {
	switch x := a.(type) {
	case expiryFacet:
		return x.ExpiresAt.Equal(b.(expiryFacet).ExpiresAt)
	case limitFacet:
		y := b.(limitFacet)
		return x.Currency == y.Currency && plainAmount(x.Amount) == plainAmount(y.Amount)
	}
	return reflect.DeepEqual(a, b) || bytes.Equal(encode(a), encode(b))
}

// plainAmount writes a decimal without the zeros that do not count.
func plainAmount(s string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(s, "-"); negative {
		sign, s = "-", rest
	}
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if trimmed := strings.TrimLeft(s, "0"); trimmed != "" && trimmed[0] != '.' {
		return sign + trimmed
	} else if trimmed != "" {
		return sign + "0" + trimmed
	}
	if s == "" {
		return ""
	}
	return "0"
}

// encode returns v as JSON, and nil for a value that holds nothing.
func encode(v any) json.RawMessage {
	if reflect.ValueOf(v).IsZero() {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		// Strings, lists of strings and times cannot fail.
		panic(fmt.Sprintf("wallet: facet %T: %v", v, err))
	}
	if string(b) == "{}" { // an empty list in it, which holds no more than none
		return nil
	}
	return b
}

package migrations_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"walletsync/internal/wallet"
)

// viewOf is the view that shows the present value of each facet.
var viewOf = map[wallet.Facet]string{
	wallet.FacetShippingAddress: "shipping_addresses",
	wallet.FacetBillingAddress:  "billing_addresses",
	wallet.FacetBuyer:           "buyers",
	wallet.FacetPaymentMethod:   "payment_states",
	wallet.FacetState:           "payment_states",
	wallet.FacetLimit:           "payment_states",
	wallet.FacetExpiry:          "payment_states",
}

// TestMembersOfChangesAreNamedAsTheViewsColumns: the contract's promise for
// before and after. The change of a permission that has every member shows all.
func TestMembersOfChangesAreNamedAsTheViewsColumns(t *testing.T) {
	columns := map[string][]string{}
	for _, r := range contract(t, migrated(t)) {
		if r.Schema == "back_office" && r.Kind == "view" {
			for _, c := range r.Columns {
				columns[r.Name] = append(columns[r.Name], c.Name)
			}
		}
	}
	address := wallet.Address{Name: "n", Line1: "1", Line2: "2", Line3: "3", City: "c", County: "y", District: "d",
		StateOrRegion: "s", PostalCode: "p", CountryCode: "DE", Phone: "t"}
	full := wallet.ChargePermission{
		State:              wallet.State{State: wallet.NonChargeable, Reasons: []wallet.Reason{{Code: "PaymentMethodExpired"}}},
		Buyer:              wallet.Buyer{BuyerID: "i", BuyerName: "n", BuyerEmail: "e", BuyerPhone: "t"},
		PaymentDescriptors: []string{"Visa"},
		Shipping:           address, Billing: address,
		Limits:    wallet.Limits{LimitAmount: "1", LimitCurrency: "EUR"},
		ExpiresAt: time.Unix(1, 0),
	}
	changes := wallet.Diff(&wallet.ChargePermission{}, &full)
	if len(changes) != len(viewOf) {
		t.Fatalf("%d facets changed, of %d", len(changes), len(viewOf))
	}
	for _, c := range changes {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(c.After, &members); err != nil || len(members) == 0 {
			t.Errorf("%s: %s: %v", c.Facet, c.After, err)
		}
		for name := range members {
			if !slices.Contains(columns[viewOf[c.Facet]], name) {
				t.Errorf("%s has a member %s; the view %s has no such column", c.Facet, name, viewOf[c.Facet])
			}
		}
	}
}

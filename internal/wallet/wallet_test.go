package wallet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChargePermissionIDHasAmazonsForm(t *testing.T) {
	for s, ok := range map[string]bool{
		"B01-0000000-0000000":                  true,
		"S02-1234567-7654321":                  true,
		"P01-5105180-3221187":                  true,
		"":                                     false,
		"b01-0000000-0000000":                  false,
		"B01-0000000-000000":                   false,
		"B01-0000000-0000000-C056351":          false,
		"B01-0000000-0000000\n":                false,
		"B01-0000000-0000000'; drop table x--": false,
	} {
		if _, err := ParseChargePermissionID(s); (err == nil) != ok {
			t.Errorf("ParseChargePermissionID(%q): %v", s, err)
		}
	}
}

func TestObjectIDsLeadToTheirChargePermission(t *testing.T) {
	for object, want := range map[string]ChargePermissionID{
		"B01-0000000-0000000":         "B01-0000000-0000000",
		"B01-0000000-0000000-C056351": "B01-0000000-0000000",
		"S02-1234567-7654321-R012345": "S02-1234567-7654321",
		"B01-0000000-0000000C056351":  "",
		"nonsense":                    "",
	} {
		got, err := ChargePermissionOf(object)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ChargePermissionOf(%q) = %q, %v; want %q", object, got, err, want)
		}
	}
}

func TestAccountIDFitsAURLPath(t *testing.T) {
	for s, ok := range map[string]bool{"main": true, "eu-live-2": true, "": false, "Main": false, "a/b": false, "-a": false} {
		if _, err := ParseAccountID(s); (err == nil) != ok {
			t.Errorf("ParseAccountID(%q): %v", s, err)
		}
	}
}

func TestShareLeavesAtLeastOneToken(t *testing.T) {
	for _, q := range append(LiveQuotas(), SandboxQuotas()...) {
		if got := q.Share(0.01); got.Burst < 1 || got.PerSecond != q.PerSecond*0.01 {
			t.Errorf("%+v: share %+v", q, got)
		}
	}
}

func permission() ChargePermission {
	return ChargePermission{
		ID: "S01-0000000-0000001", Type: "PaymentMethodOnFile",
		State:              State{State: Chargeable, StateUpdatedAt: time.Unix(1, 0)},
		Buyer:              Buyer{BuyerID: "B", BuyerName: "Ada Example", BuyerEmail: "ada@example.com"},
		PaymentDescriptors: []string{"Visa ****1111 (Amazon Pay)"},
		Shipping:           Address{Name: "Ada Example", Line1: "1 Example Way", City: "Exampleton", CountryCode: "GB"},
		Limits:             Limits{LimitAmount: "500.00", BalanceAmount: "500.00", LimitCurrency: "EUR"},
		ExpiresAt:          time.Unix(1000, 0),
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ChargePermission)
		want   []Change
	}{
		{"nothing", func(*ChargePermission) {}, nil},
		{"a balance that moves alone is no change", func(p *ChargePermission) { p.BalanceAmount = "1.00" }, nil},
		{"the same amount, written otherwise", func(p *ChargePermission) { p.LimitAmount = "500" }, nil},
		{"another amount", func(p *ChargePermission) { p.LimitAmount = "50.000" }, []Change{{
			FacetLimit, []byte(`{"limit_amount":"500.00","limit_currency":"EUR"}`), []byte(`{"limit_amount":"50.000","limit_currency":"EUR"}`)}}},
		{"no amount", func(p *ChargePermission) { p.LimitAmount = "" }, []Change{{
			FacetLimit, []byte(`{"limit_amount":"500.00","limit_currency":"EUR"}`), []byte(`{"limit_currency":"EUR"}`)}}},
		{"a state's time alone is no change", func(p *ChargePermission) { p.StateUpdatedAt = time.Unix(2, 0) }, nil},
		{"an empty list is none", func(p *ChargePermission) { p.Reasons = []Reason{} }, nil},
		{"another time zone is the same time", func(p *ChargePermission) { p.ExpiresAt = p.ExpiresAt.In(time.FixedZone("", 3600)) }, nil},
		{"card", func(p *ChargePermission) { p.PaymentDescriptors = []string{"Visa ****2222 (Amazon Pay)"} }, []Change{{
			FacetPaymentMethod, []byte(`{"payment_descriptors":["Visa ****1111 (Amazon Pay)"]}`), []byte(`{"payment_descriptors":["Visa ****2222 (Amazon Pay)"]}`)}}},
		{"state and limit, in their order", func(p *ChargePermission) {
			p.State.State, p.Reasons = NonChargeable, []Reason{{Code: "PaymentMethodExpired"}}
			p.LimitAmount = "300.00"
		}, []Change{
			{FacetState, []byte(`{"state":"Chargeable"}`), []byte(`{"state":"NonChargeable","reason_codes":["PaymentMethodExpired"]}`)},
			{FacetLimit, []byte(`{"limit_amount":"500.00","limit_currency":"EUR"}`), []byte(`{"limit_amount":"300.00","limit_currency":"EUR"}`)}}},
		{"address gone", func(p *ChargePermission) { p.Shipping = Address{} }, []Change{{
			FacetShippingAddress, []byte(`{"name":"Ada Example","line1":"1 Example Way","city":"Exampleton","country_code":"GB"}`), nil}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := permission(), permission()
			c.change(&after)
			if d := cmp.Diff(c.want, Diff(&before, &after)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNoPaymentMethodIsNoneHoweverItIsWritten(t *testing.T) {
	stored, read := permission(), permission()
	stored.PaymentDescriptors, read.PaymentDescriptors = []string{}, nil
	if got := Diff(&stored, &read); got != nil {
		t.Errorf("%+v", got)
	}
	if got := Diff(&read, &stored); got != nil {
		t.Errorf("%+v", got)
	}
}

func TestFirstReadIsOneChange(t *testing.T) {
	p := ChargePermission{ID: "S01-0000000-0000001", State: State{State: Chargeable}}
	got := Diff(nil, &p)
	want := []Change{{Facet: FacetFirstRead, After: []byte(`{"state":{"state":"Chargeable"}}`)}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The impersonal facets are the same with and without the person, and everything
// else is gone.
func TestWithoutPersonOnlyImpersonalFacetsAreLeft(t *testing.T) {
	p := permission()
	p.Billing = p.Shipping
	without := p.WithoutPerson()
	left := map[Facet]any{}
	for i, f := range facets(&without) {
		if encode(f.value) == nil {
			continue
		}
		left[f.name] = f.value
		if was := facets(&p)[i].value; !same(was, f.value) {
			t.Errorf("%s: %v became %v", f.name, was, f.value)
		}
	}
	if len(left) != len(ImpersonalFacets()) {
		t.Errorf("left: %v", left)
	}
	for _, f := range ImpersonalFacets() {
		if left[f] == nil {
			t.Errorf("%s is gone", f)
		}
	}
	if d := cmp.Diff(without, without.WithoutPerson()); d != "" {
		t.Error(d)
	}
}

func TestFollowed(t *testing.T) {
	f := DefaultFollowed()
	for kind, want := range map[string]bool{"PaymentMethodOnFile": true, "Recurring": true, "recurring": true, "OneTime": false, "": true} {
		if f.Follows(kind) != want {
			t.Errorf("Follows(%q) = %v", kind, !want)
		}
	}
}

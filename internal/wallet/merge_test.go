package wallet

import (
	"encoding/json"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMergeKeepsWhatWasNotRemoved(t *testing.T) {
	full := permission()
	full.BuyerPhone = "+49 30 1"
	full.Billing = Address{Name: "Ada Example", City: "Billtown"}
	full.CreatedAt = time.Unix(10, 0)
	for _, c := range []struct {
		name       string
		after      func(*ChargePermission) // changes full
		unreadable []Member
		want       func(*ChargePermission) // changes full
	}{
		{"nothing differs", func(*ChargePermission) {}, nil, func(*ChargePermission) {}},
		{"30 days after closing", func(p *ChargePermission) {
			*p = p.WithoutPerson()
			p.State.State = Closed
		}, nil, func(p *ChargePermission) { p.State.State = Closed }},
		{"OneTime, 30 days after its creation, still open", func(p *ChargePermission) {
			p.Type, p.Buyer, p.Shipping, p.Billing = "OneTime", Buyer{}, Address{}, Address{}
		}, nil, func(p *ChargePermission) { p.Type = "OneTime" }},
		{"one member of the buyer is missing", func(p *ChargePermission) { p.BuyerPhone, p.BuyerName = "", "Ada Newname" }, nil,
			func(p *ChargePermission) { p.BuyerName = "Ada Newname" }},
		{"a new address has no second line", func(p *ChargePermission) { p.Shipping = Address{Line1: "2 New Way", City: "Newtown"} }, nil,
			func(p *ChargePermission) { p.Shipping = Address{Line1: "2 New Way", City: "Newtown"} }},
		{"the payment method was deleted", func(p *ChargePermission) {
			p.State.State, p.Reasons, p.PaymentDescriptors, p.Billing = NonChargeable, []Reason{{Code: "PaymentMethodDeleted"}}, nil, Address{}
		}, nil, func(p *ChargePermission) {
			p.State.State, p.Reasons, p.PaymentDescriptors, p.Billing = NonChargeable, []Reason{{Code: "PaymentMethodDeleted"}}, nil, Address{}
		}},
		{"the billing address was deleted", func(p *ChargePermission) {
			p.Reasons, p.Billing, p.PaymentDescriptors, p.Shipping = []Reason{{Code: "BillingAddressDeleted"}}, Address{}, nil, Address{}
		}, nil, func(p *ChargePermission) {
			p.Reasons, p.Billing = []Reason{{Code: "BillingAddressDeleted"}}, Address{}
		}},
		{"another reason explains nothing", func(p *ChargePermission) {
			p.Reasons, p.Billing, p.PaymentDescriptors = []Reason{{Code: "PaymentMethodExpired"}}, Address{}, nil
		}, nil, func(p *ChargePermission) { p.Reasons = []Reason{{Code: "PaymentMethodExpired"}} }},
		{"limits, expiry and reasons are removed", func(p *ChargePermission) {
			p.Limits, p.ExpiresAt, p.Reasons = Limits{}, time.Time{}, nil
		}, nil, func(p *ChargePermission) { p.Limits, p.ExpiresAt, p.Reasons = Limits{}, time.Time{}, nil }},
		{"but not if they cannot be read", func(p *ChargePermission) {
			p.Limits, p.ExpiresAt = Limits{LimitCurrency: "USD"}, time.Time{}
		}, []Member{MemberLimit, MemberBalance, MemberExpiresAt, MemberReasons}, func(*ChargePermission) {}},
		{"an address that cannot be read is kept whole, and the rest is stored", func(p *ChargePermission) {
			p.Shipping, p.BuyerName = Address{Line1: "2 New Way"}, "Ada Newname"
		}, []Member{MemberShipping}, func(p *ChargePermission) { p.BuyerName = "Ada Newname" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after, want := clone(t, full), clone(t, full), clone(t, full)
			c.after(&after)
			c.want(&want)
			if d := cmp.Diff(want, Merge(&before, after, c.unreadable)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(full, before); d != "" {
				t.Errorf("what is stored was changed: %s", d)
			}
		})
	}
}

func TestFirstReadIsMergedWithNothing(t *testing.T) {
	p := permission()
	if d := cmp.Diff(p, Merge(nil, p, slices.Collect(maps.Keys(copyMember)))); d != "" {
		t.Error(d)
	}
}

func clone(t testing.TB, p ChargePermission) (out ChargePermission) {
	t.Helper()
	b, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func anyPermission(t *rapid.T, name string) ChargePermission {
	text := func(what string) string {
		return rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, name+" "+what)
	}
	address := func(what string) Address { return Address{Line1: text(what + " line1"), City: text(what + " city")} }
	moment := func(what string) time.Time {
		return rapid.SampledFrom([]time.Time{{}, time.Unix(1, 0).UTC(), time.Unix(2, 0).UTC()}).Draw(t, name+" "+what)
	}
	p := ChargePermission{
		ID: "S01-0000000-0000001", Type: text("type"), ReleaseEnvironment: text("environment"),
		State:    State{State: text("state"), StateUpdatedAt: moment("state's time")},
		Buyer:    Buyer{text("buyer id"), text("buyer name"), text("buyer e-mail"), text("buyer phone")},
		Shipping: address("shipping"), Billing: address("billing"),
		Limits:    Limits{text("limit"), text("balance"), text("currency")},
		CreatedAt: moment("creation"), ExpiresAt: moment("expiry"),
	}
	for _, code := range rapid.SliceOfN(rapid.SampledFrom([]string{"PaymentMethodDeleted", "BillingAddressDeleted", "PaymentMethodNotSet", "MFAFailed"}), 0, 2).Draw(t, name+" reasons") {
		p.Reasons = append(p.Reasons, Reason{Code: code})
	}
	if card := text("card"); card != "" {
		p.PaymentDescriptors = []string{card}
	}
	return p
}

// Each member is merged to its stored or its read value. A stored value becomes
// empty only if it was read as empty.
func TestMergeInventsNothing(t *testing.T) {
	members := slices.Sorted(maps.Keys(copyMember))
	get := func(p ChargePermission, m Member) ChargePermission {
		var out ChargePermission
		copyMember[m](&out, &p)
		return out
	}
	kept := []Member{MemberBuyerID, MemberBuyerName, MemberBuyerEmail, MemberBuyerPhone, MemberShipping, MemberBilling, MemberPaymentDescriptors}
	rapid.Check(t, func(t *rapid.T) {
		before, after := anyPermission(t, "before"), anyPermission(t, "after")
		unreadable := rapid.SliceOfDistinct(rapid.SampledFrom(members), rapid.ID[Member]).Draw(t, "unreadable")
		got := Merge(&before, after, unreadable)
		for _, m := range members {
			was, read, is := get(before, m), get(after, m), get(got, m)
			switch {
			case slices.Contains(unreadable, m):
				if !reflect.DeepEqual(is, was) {
					t.Errorf("%s cannot be read: %+v became %+v", m, was, is)
				}
			case reflect.DeepEqual(is, read):
			case !slices.Contains(kept, m) || !reflect.ValueOf(read).IsZero() || !reflect.DeepEqual(is, was):
				t.Errorf("%s: %+v was stored, %+v read, %+v comes out", m, was, read, is)
			}
			if buyer := slices.Index(kept, m); buyer >= 0 && buyer < 5 && reflect.ValueOf(is).IsZero() && !reflect.ValueOf(was).IsZero() {
				t.Errorf("%s is lost: %+v", m, was)
			}
		}
		if again := Merge(&got, after, unreadable); !reflect.DeepEqual(again, got) {
			t.Errorf("the same read again: %+v became %+v", got, again)
		}
	})
}

// Every field belongs to a member, so a new field needs a decision.
func TestMembersAreTheWholePermission(t *testing.T) {
	p := permission()
	p.ReleaseEnvironment, p.Reasons, p.BuyerPhone = "Live", []Reason{{Code: "MFAFailed"}}, "1"
	p.Billing, p.CreatedAt = p.Shipping, time.Unix(5, 0)
	out := ChargePermission{ID: p.ID}
	for _, copyIt := range copyMember {
		copyIt(&out, &p)
	}
	if d := cmp.Diff(p, out); d != "" {
		t.Error(d)
	}
}

func TestAmountsAreComparedByValue(t *testing.T) {
	amount := rapid.StringMatching(`-?[0-9]{1,5}(\.[0-9]{1,4})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := amount.Draw(t, "a"), amount.Draw(t, "b")
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		if want := x.Cmp(y) == 0; same(limitFacet{Amount: a}, limitFacet{Amount: b}) != want {
			t.Errorf("%s and %s: the same is %v", a, b, !want)
		}
		if same(limitFacet{Amount: a}, limitFacet{}) {
			t.Errorf("%s is the same as none", a)
		}
	})
}

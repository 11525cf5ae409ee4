package view

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDifferencesAreFieldByField(t *testing.T) {
	p := func(s string) *string { return &s }
	for _, c := range []struct {
		name, facet, before, after string
		want                       []Difference
	}{
		{"what is the same is left out", "address", `{"line1":"a","city":"x","postal_code":"1"}`, `{"line1":"b","city":"x","postal_code":"2"}`,
			[]Difference{{"address", "line1", p("a"), p("b")}, {"address", "postal_code", p("1"), p("2")}}},
		{"nothing before", "address", `null`, `{"city":"x"}`, []Difference{{"address", "city", nil, p("x")}}},
		{"nothing after", "address", `{"city":"x"}`, ``, []Difference{{"address", "city", p("x"), nil}}},
		{"lists", "payment_method", `{"descriptors":["a","b"]}`, `{"descriptors":[]}`, []Difference{{"payment_method", "descriptors", p("a, b"), nil}}},
		{"a field of tomorrow", "state", `{"zone":1}`, `{"zone":{"a":[true]}}`, []Difference{{"state", "zone", p("1"), p(`{"a":[true]}`)}}},
		{"a first read", "first_read", ``, `{"state":{"state":"Chargeable"},"address":{"city":"x"},"later":{"k":"v"}}`,
			[]Difference{{"address", "city", nil, p("x")}, {"state", "state", nil, p("Chargeable")}, {"later", "k", nil, p("v")}}},
		{"erased", "erased", `null`, `null`, []Difference{}},
		{"no object", "address", `"x"`, `[1]`, []Difference{}},
	} {
		if diff := cmp.Diff(c.want, Differences(c.facet, json.RawMessage(c.before), json.RawMessage(c.after))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestAddressesAreCompared(t *testing.T) {
	x, y, other := "x", "x", "y"
	a, b := &Address{City: &x, Since: &time.Time{}}, &Address{City: &y}
	if !a.SameAs(b) || a.SameAs(&Address{City: &other}) || a.SameAs(&Address{}) || a.SameAs(nil) || (*Address)(nil).SameAs(a) {
		t.Error("wrong")
	}
	if !a.Known() || (&Address{}).Known() || (*Address)(nil).Known() {
		t.Error("wrong")
	}
}

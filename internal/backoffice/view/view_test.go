package view

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestACursorComesBackAsItWasGivenOut(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 123456000, time.UTC)
	for _, k := range []Key{
		{Account: "main", ChargePermissionID: "B01-0000000-0000001", Place: "B01-0000000-0000001", At: &at},
		{Account: "main", Place: "3f0e8b5e-0000-4000-8000-000000000001", Part: 2},
	} {
		c := CursorAfter(k)
		got, err := ParseCursor(c.String())
		if err != nil || got != c {
			t.Errorf("%+v, %v", got, err)
		}
		if k.At != nil && !got.At().Equal(at) {
			t.Errorf("%v", got.At())
		}
	}
	if c, err := ParseCursor(""); c != (Cursor{}) || err != nil || c.String() != "" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestWhatIsNoCursorIsRefused(t *testing.T) {
	good := Cursor{Account: "main", Place: "B01"}.String()
	for name, s := range map[string]string{
		"no base64": "!", "no JSON": cursorEncoding.EncodeToString([]byte("x")), "another spelling": good + "=", "cut": good[:len(good)-2], "long": strings.Repeat("A", 2000),
		"no place": cursorEncoding.EncodeToString([]byte(`{"a":"main","p":""}`)), "before time": cursorEncoding.EncodeToString([]byte(`{"a":"main","p":"B","t":-1}`)),
		"after time": cursorEncoding.EncodeToString([]byte(`{"a":"main","p":"B","t":999999999999999999}`)), "control": cursorEncoding.EncodeToString([]byte(`{"a":"main","p":"B\u0000"}`)),
		"members": cursorEncoding.EncodeToString([]byte(`{"a":"main","p":"B","x":1}`)), "part": cursorEncoding.EncodeToString([]byte(`{"a":"main","p":"B","n":3}`)),
	} {
		if c, err := ParseCursor(s); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(Cursor{Account: "main", Place: "B01", Micro: 1}.String())
	f.Add("e30")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			return
		}
		if c.String() != s {
			t.Errorf("%q came back as %q", s, c)
		}
		if y := c.At().Year(); y < 1970 || y > 6537 {
			t.Errorf("in the year %d", y)
		}
	})
}

func TestDifferencesAreToldFieldByField(t *testing.T) {
	p := func(s string) *string { return &s }
	for _, c := range []struct {
		name, facet, before, after string
		want                       []Difference
	}{
		{"what is the same is left out", "shipping_address", `{"line1":"a","city":"x","postal_code":"1"}`, `{"line1":"b","city":"x","postal_code":"2"}`,
			[]Difference{{"shipping_address", "line1", p("a"), p("b")}, {"shipping_address", "postal_code", p("1"), p("2")}}},
		{"nothing before", "shipping_address", `null`, `{"city":"x"}`, []Difference{{"shipping_address", "city", nil, p("x")}}},
		{"nothing after", "shipping_address", `{"city":"x"}`, ``, []Difference{{"shipping_address", "city", p("x"), nil}}},
		{"lists", "payment_method", `{"payment_descriptors":["a","b"]}`, `{"payment_descriptors":[]}`, []Difference{{"payment_method", "payment_descriptors", p("a, b"), nil}}},
		{"a field of tomorrow", "state", `{"zone":1}`, `{"zone":{"a":[true]}}`, []Difference{{"state", "zone", p("1"), p(`{"a":[true]}`)}}},
		{"a first read", "first_read", ``, `{"state":{"state":"Chargeable"},"shipping_address":{"city":"x"},"later":{"k":"v"}}`,
			[]Difference{{"shipping_address", "city", nil, p("x")}, {"state", "state", nil, p("Chargeable")}, {"later", "k", nil, p("v")}}},
		{"erased", "erased", `null`, `null`, nil},
		{"no object", "shipping_address", `"x"`, `[1]`, nil},
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

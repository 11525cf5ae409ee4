package twin

import (
	"testing"
	"time"
)

// Answers can be of another form than documented, and are only for the next call.
func TestAnswersOfAnotherForm(t *testing.T) {
	s := newShop(t, nil)
	f, err := ParseFaults([]byte(`{"calls":[{"call":"GetChargePermission","next":1,
		"patch":{"buyer":["a"],"limits":{"amountLimit":{"amount":500}},"shippingAddress":null,"somethingNew":true}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetFaults(f); err != nil {
		t.Fatal(err)
	}
	_, _, got := s.api("GET", "chargePermissions/"+known, "", "")
	address, present := got["shippingAddress"]
	if _, list := got["buyer"].([]any); !list || address != nil || !present || got["somethingNew"] != true ||
		got["limits"].(map[string]any)["amountLimit"].(map[string]any)["amount"] != 500.0 {
		t.Errorf("%v", got)
	}
	if _, _, got := s.api("GET", "chargePermissions/"+known, "", ""); got["somethingNew"] != nil || got["shippingAddress"] == nil {
		t.Errorf("the next answer: %v", got)
	}
	if err := s.SetFaults(f); err != nil {
		t.Fatal(err)
	}
	if status, reason, _ := s.api("GET", "chargePermissions/S01-9999999-9999999", "", ""); status != 404 {
		t.Errorf("a refusal is patched: %d %s", status, reason)
	}
}

// Buyer details are null 30 days after closing, and of OneTime 30 days after
// its creation, while it is open.
func TestBuyerDetailsEnd(t *testing.T) {
	for _, c := range []struct {
		name, patch string
		age         time.Duration
		shown       bool
	}{
		{"OneTime, open", `{"chargePermissionType":"OneTime"}`, 29 * 24 * time.Hour, true},
		{"OneTime, open, 31 days later", `{"chargePermissionType":"OneTime"}`, 31 * 24 * time.Hour, false},
		{"a wallet, open, 31 days later", `{}`, 31 * 24 * time.Hour, true},
		{"a wallet, closed, 31 days later", `{"statusDetails":{"state":"Closed"}}`, 31 * 24 * time.Hour, false},
	} {
		s := newShop(t, nil)
		if _, err := s.Change("S01-7654321-7654321", []byte(`{"buyer":{"name":"Ada"}}`), Notify{Silent: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Change("S01-7654321-7654321", []byte(c.patch), Notify{Silent: true}); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(c.age)
		_, _, got := s.api("GET", "chargePermissions/S01-7654321-7654321", "", "")
		if shown := got["buyer"] != nil; shown != c.shown {
			t.Errorf("%s: the buyer is shown: %v", c.name, shown)
		}
	}
}

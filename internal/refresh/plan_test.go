package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/amazonpay"
	"walletsync/internal/wallet"
)

const id = "S01-0000000-0000001"

func answer(t *testing.T, body string) *amazonpay.ChargePermission {
	t.Helper()
	var a amazonpay.ChargePermission
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	a.Raw = json.RawMessage(body)
	a.Response = amazonpay.Response{RequestID: "r1", Date: time.Unix(1000, 0), Duration: 2 * time.Second}
	return &a
}

func TestAnswerIsReadWhenItWasAskedFor(t *testing.T) {
	r := answered(Claim{ID: id}, answer(t, `{"chargePermissionType":"PaymentMethodOnFile"}`), wallet.DefaultFollowed(), 0)
	if want := time.Unix(998, 0); r.Kind != Read || !r.ReadAt.Equal(want) || r.RequestID != "r1" {
		t.Errorf("got %s, read at %v; want read, %v", r.Kind, r.ReadAt, want)
	}
	a := answer(t, `{}`)
	a.Response.Date = time.Time{}
	if r := answered(Claim{ID: id}, a, wallet.DefaultFollowed(), 0); !r.ReadAt.IsZero() {
		t.Errorf("without a Date it was read at %v", r.ReadAt)
	}
}

func TestNotFollowedKeepsIDAndTypeAlone(t *testing.T) {
	r := answered(Claim{ID: id}, answer(t, `{"chargePermissionType":"OneTime","buyer":{"name":"Ada Example"}}`), wallet.DefaultFollowed(), 0)
	want := Result{Claim: Claim{ID: id}, Kind: NotFollowed, ReadAt: time.Unix(998, 0), RequestID: "r1",
		State: wallet.ChargePermission{ID: id, Type: "OneTime"}}
	if d := cmp.Diff(want, r); d != "" {
		t.Error(d)
	}
}

// Of an erased person nothing is stored but what tells of nobody; that there is an
// address is told to whoever waits, and stored nowhere.
func TestOfAnErasedPersonNothingPersonalIsStored(t *testing.T) {
	body := `{"chargePermissionType":"PaymentMethodOnFile","buyer":{"name":"Ada"},"shippingAddress":{"city":"Adatown"},"billingAddress":{"city":"Adatown"},
		"paymentPreferences":[{"paymentDescriptor":"Ada's card"}],"statusDetails":{"state":"Chargeable"}}`
	for name, stored := range map[string]*wallet.ChargePermission{"never read": nil, "read before": {ID: id, Type: "PaymentMethodOnFile"}} {
		r := answered(Claim{ID: id, Erased: true, Stored: stored}, answer(t, body), wallet.DefaultFollowed(), 0)
		b, err := json.Marshal(r)
		if err != nil || strings.Contains(string(b), "Ada") || r.Raw != nil || r.State.State.State != wallet.Chargeable || !r.HasAddress {
			t.Errorf("%s: %s, %v", name, b, err)
		}
		if len(r.Changes) != 1 {
			t.Errorf("%s: %+v", name, r.Changes)
		}
		if got := refreshed(r, nil); !got.HasAddress {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAnswerForAnotherIsAFailure(t *testing.T) {
	r := answered(Claim{ID: id}, answer(t, `{"chargePermissionId":"S01-0000000-0000002"}`), wallet.DefaultFollowed(), 0)
	if r.Kind != Failed {
		t.Errorf("got %s", r.Kind)
	}
}

func TestWhatDiffersFromARecentChangeIsHeld(t *testing.T) {
	stored := func() *wallet.ChargePermission {
		return &wallet.ChargePermission{ID: id, PaymentDescriptors: []string{"Visa"}, Shipping: wallet.Address{City: "Exampleton"}}
	}
	read := `{"paymentPreferences":[{"paymentDescriptor":"Master"}],"shippingAddress":{"city":"Exampleton"}}`
	for _, c := range []struct {
		name   string
		recent []wallet.Facet
		stored *wallet.ChargePermission
		want   bool
	}{
		{"nothing recent", nil, stored(), false},
		{"another facet is recent", []wallet.Facet{wallet.FacetAddress}, stored(), false},
		{"this facet is recent", []wallet.Facet{wallet.FacetPaymentMethod}, stored(), true},
		{"first read is recent", []wallet.Facet{wallet.FacetFirstRead}, stored(), true},
		{"nothing stored", []wallet.Facet{wallet.FacetFirstRead}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := answered(Claim{ID: id, Recent: c.recent, Stored: c.stored}, answer(t, read), wallet.DefaultFollowed(), 0)
			if r.Held != c.want {
				t.Errorf("held: %v", r.Held)
			}
		})
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	s := Defaults()
	for _, c := range []struct {
		name    string
		err     error
		want    Kind
		closing *Closing
	}{
		{"throttled", &amazonpay.Error{StatusCode: 429, ReasonCode: "TooManyRequests", RetryAfter: 3 * time.Second}, Failed, &Closing{For: 3 * time.Second, Why: "Amazon Pay throttles"}},
		{"server error", &amazonpay.Error{StatusCode: 500, ReasonCode: "InternalServerError"}, Failed, nil},
		{"not found", &amazonpay.Error{StatusCode: 404, ReasonCode: "ResourceNotFound"}, Gone, nil},
		{"signature refused", &amazonpay.Error{StatusCode: 403, ReasonCode: "InvalidRequestSignature"}, Deferred, &Closing{For: s.Pause, Why: "Amazon Pay refuses the account's key or signature"}},
		{"authentication refused, as a 401", &amazonpay.Error{StatusCode: 401, ReasonCode: "InvalidAuthentication"}, Deferred, &Closing{For: s.Pause, Why: "Amazon Pay refuses the account's key or signature"}},
		{"another merchant's", &amazonpay.Error{StatusCode: 401, ReasonCode: "UnauthorizedAccess"}, Failed, nil},
		{"account status", &amazonpay.Error{StatusCode: 403, ReasonCode: "InvalidAccountStatus"}, Failed, nil},
		{"403 without a code", &amazonpay.Error{StatusCode: 403}, Failed, nil},
		{"no key", amazonpay.NotCalled(errors.New("no secret")), NotCalled, &Closing{For: s.OwnPause, Why: "Amazon Pay was not called: no secret"}},
		{"connection broken", errors.New("connection reset"), Failed, nil},
		{"refused for good", &amazonpay.Error{StatusCode: 400, ReasonCode: "InvalidRequest"}, Failed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, closing := refused(Claim{ID: id}, c.err, s, 0)
			if r.Kind != c.want {
				t.Errorf("got %s, want %s", r.Kind, c.want)
			}
			if d := cmp.Diff(c.closing, closing); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	for n, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 4: 16 * time.Second, 100: MostBackoff / 2} {
		if got := backoff(n, 0); got != want {
			t.Errorf("backoff(%d, 0) = %v, want %v", n, got, want)
		}
		if got := backoff(n, 0.999); got <= want || got > 2*want {
			t.Errorf("backoff(%d, 0.999) = %v", n, got)
		}
	}
}

func TestWhatCannotBeStoredIsCleaned(t *testing.T) {
	r := answered(Claim{ID: id}, answer(t, `{
		"chargePermissionType": "PaymentMethodOnFile",
		"buyer": {"name": "A\u0000da \ud800"},
		"limits": {"amountLimit": {"amount": "a lot", "currencyCode": "EUR"}},
		"new\u0000field": ["\u0000x"]}`), wallet.DefaultFollowed(), 0)
	if r.State.BuyerName != "Ada \uFFFD" || r.State.LimitAmount != "" {
		t.Errorf("state %+v", r.State)
	}
	if s := string(r.Raw); strings.Contains(s, `\u0000`) || !strings.Contains(s, `"newfield":["x"]`) || !strings.Contains(s, "a lot") {
		t.Errorf("raw %s", s)
	}
}

func FuzzWhateverAmazonSendsCanBeStored(f *testing.F) {
	f.Add([]byte(`{"chargePermissionId":"S01-0000000-0000001","buyer":{"name":"\u0000"},"statusDetails":{"reasons":[{"reasonCode":"x"}]}}`))
	f.Add([]byte(`{"limits":{"amountLimit":{"amount":"1e9"}},"expirationTimestamp":"99991231T235959Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var a amazonpay.ChargePermission
		if json.Unmarshal(body, &a) != nil {
			return
		}
		a.Raw = body
		r := answered(Claim{ID: id}, &a, wallet.DefaultFollowed(), 0)
		for _, v := range []any{r.State, r.Changes, r.Raw} {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), `\u0000`) && !strings.Contains(string(b), `\\u0000`) {
				t.Errorf("NUL in %s", b)
			}
		}
	})
}

func TestAsks(t *testing.T) {
	s := Defaults()
	got := asks([]wallet.Notification{
		{MessageID: "a", ObjectType: "CHARGE_PERMISSION"},
		{MessageID: "b", ObjectType: "CHARGE"},
		{MessageID: "a", ObjectType: "CHARGE_PERMISSION"},
	}, s)
	want := []Ask{
		{Notification: wallet.Notification{MessageID: "a", ObjectType: "CHARGE_PERMISSION"}, Priority: wallet.PriorityNotification},
		{Notification: wallet.Notification{MessageID: "b", ObjectType: "CHARGE"}, Priority: wallet.PriorityOther, Delay: 7 * time.Second},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// store is a Store whose answers are given.
type store struct {
	claimed Claimed
	err     error
	commit  error
	wakes   []Wake
	got     CommitRequest
}

func (s *store) Claim(context.Context, ClaimRequest) (Claimed, error) { return s.claimed, s.err }
func (s *store) Commit(_ context.Context, q CommitRequest) (Committed, error) {
	s.got = q
	return Committed{Wakes: s.wakes}, s.commit
}

type wakerFunc func() error

func (f wakerFunc) Wake(context.Context, wallet.AccountID, time.Time, time.Duration) error {
	return f()
}

func TestWhatIsAcknowledged(t *testing.T) {
	broken := errors.New("broken")
	batch := wallet.Batch{Notifications: []wallet.Notification{{Account: "main", MessageID: "m"}}}
	claims := Claimed{Claims: []Claim{{Account: "main", ID: id}}}
	for _, c := range []struct {
		name  string
		store store
		wake  error
		again bool
		err   bool
	}{
		{"all well", store{claimed: claims}, nil, false, false},
		{"the first trip fails: nothing is acknowledged", store{err: broken}, nil, false, true},
		{"the second trip fails: one comes again", store{claimed: claims, commit: broken}, nil, true, false},
		{"a wake-up cannot be sent: one comes again", store{claimed: claims, wakes: []Wake{{Account: "main"}}}, broken, true, false},
		{"nothing claimed, the wake-up cannot be sent", store{claimed: Claimed{Wakes: []Wake{{Account: "main"}}}}, broken, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Runner{Store: &c.store, Waker: wakerFunc(func() error { return c.wake }), Settings: Defaults(),
				API:    func(context.Context, wallet.AccountID) (API, error) { return nil, broken },
				Follow: func(wallet.AccountID) wallet.Followed { return wallet.DefaultFollowed() },
				Jitter: func() float64 { return 0 }, NewLease: func() Lease { return Lease{1} }}
			again, err := r.Refresh(t.Context(), batch)
			if again != c.again || (err != nil) != c.err {
				t.Errorf("again %v, err %v", again, err)
			}
		})
	}
}

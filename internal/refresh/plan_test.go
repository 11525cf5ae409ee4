package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay"
	"walletsync/internal/telemetry"
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

// After an erasure only impersonal data is stored. HasAddress reports an address to
// the caller, and it is not stored.
func TestNoPersonalDataIsStoredAfterAnErasure(t *testing.T) {
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

func TestAContradictionOfARecentChangeIsReported(t *testing.T) {
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
		{"another facet is recent", []wallet.Facet{wallet.FacetShippingAddress}, stored(), false},
		{"this facet is recent", []wallet.Facet{wallet.FacetPaymentMethod}, stored(), true},
		{"first read is recent", []wallet.Facet{wallet.FacetFirstRead}, stored(), true},
		{"nothing stored", []wallet.Facet{wallet.FacetFirstRead}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := answered(Claim{ID: id, Recent: c.recent, Stored: c.stored}, answer(t, read), wallet.DefaultFollowed(), 0)
			if r.ContradictsRecent != c.want {
				t.Errorf("contradicts what is recent: %v", r.ContradictsRecent)
			}
		})
	}
}

func TestEachErrorHasItsOutcome(t *testing.T) {
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

// What cannot be read must never look like none: it keeps what was stored, and is
// named for the operator.
func TestWhatCannotBeReadKeepsWhatWasStored(t *testing.T) {
	stored := wallet.ChargePermission{
		ID: id, Type: "PaymentMethodOnFile", ReleaseEnvironment: "Live",
		State:              wallet.State{State: wallet.NonChargeable, Reasons: []wallet.Reason{{Code: "PaymentMethodExpired"}}, StateUpdatedAt: time.Unix(5, 0).UTC()},
		Buyer:              wallet.Buyer{BuyerID: "1", BuyerName: "Ada", BuyerEmail: "a@example.com", BuyerPhone: "2"},
		PaymentDescriptors: []string{"Visa"},
		Shipping:           wallet.Address{Line1: "1 Old Way", City: "Oldtown"},
		Billing:            wallet.Address{City: "Billtown"},
		Limits:             wallet.Limits{LimitAmount: "500.00", BalanceAmount: "20.00", LimitCurrency: "EUR"},
		CreatedAt:          time.Unix(6, 0).UTC(), ExpiresAt: time.Unix(7, 0).UTC(),
	}
	const whole = `"chargePermissionType":"PaymentMethodOnFile","releaseEnvironment":"Live",
		"buyer":{"buyerId":"1","name":"Ada","email":"a@example.com","phoneNumber":"2"},
		"paymentPreferences":[{"paymentDescriptor":"Visa"}],"shippingAddress":{"addressLine1":"1 Old Way","city":"Oldtown"},"billingAddress":{"city":"Billtown"},
		"statusDetails":{"state":"NonChargeable","reasons":[{"reasonCode":"PaymentMethodExpired"}],"lastUpdatedTimestamp":"1970-01-01T00:00:05Z"},
		"limits":{"amountLimit":{"amount":"500.00","currencyCode":"EUR"},"amountBalance":{"amount":"20.00"}},
		"creationTimestamp":"1970-01-01T00:00:06Z","expirationTimestamp":"1970-01-01T00:00:07Z"`
	for name, c := range map[string]struct {
		members string // after those of whole, so they count
		named   string
		facets  string // what changes all the same
	}{
		"nothing of it":           {``, "", "[]"},
		"an amount for people":    {`,"limits":{"amountLimit":{"amount":"1,000.00","currencyCode":"USD"},"amountBalance":{"amount":"20.00"}}`, "limits.amountLimit.amount", "[]"},
		"an amount as a number":   {`,"limits":{"amountLimit":{"amount":500,"currencyCode":"EUR"},"amountBalance":{"amount":20.00}}`, "", "[]"},
		"another, as a number":    {`,"limits":{"amountLimit":{"amount":501,"currencyCode":"EUR"},"amountBalance":{"amount":20.00}}`, "", "[limit]"},
		"limits, and a new state": {`,"limits":"none","statusDetails":{"state":"Chargeable"}`, "limits", "[state]"},
		"a part of an address":    {`,"shippingAddress":{"addressLine1":"2 New Way","city":5},"buyer":{"name":"Ada Newname"}`, "shippingAddress.city", "[buyer]"},
		"a buyer":                 {`,"buyer":["Ada"]`, "buyer", "[]"},
		"the reasons":             {`,"statusDetails":{"state":"NonChargeable","reasons":"none","lastUpdatedTimestamp":5}`, "statusDetails.reasons, statusDetails.lastUpdatedTimestamp", "[]"},
		"the status":              {`,"statusDetails":"Closed"`, "statusDetails", "[]"},
		"a card":                  {`,"paymentPreferences":[5]`, "paymentPreferences", "[]"},
		"times":                   {`,"creationTimestamp":1,"expirationTimestamp":"never"`, "creationTimestamp, expirationTimestamp", "[]"},
		"type and environment":    {`,"chargePermissionType":1,"releaseEnvironment":{}`, "chargePermissionType, releaseEnvironment", "[]"},
		"what is not stored":      {`,"merchantMetadata":1,"paymentMethodOnFileMetadata":1,"recurringMetadata":1,"presentmentCurrency":1,"amazonPayToken":1`, "", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{` + whole + c.members + `}`
			r := answered(Claim{ID: id, Stored: &stored}, answer(t, body), wallet.DefaultFollowed(), 0)
			facets := []wallet.Facet{}
			for _, ch := range r.Changes {
				facets = append(facets, ch.Facet)
			}
			if r.Kind != Read || strings.Join(r.Unreadable, ", ") != c.named || (r.Error != "") != (c.named != "") || !strings.Contains(r.Error, c.named) || string(r.Raw) != body {
				t.Errorf("%s, unreadable %q, error %q", r.Kind, r.Unreadable, r.Error)
			}
			if got := fmt.Sprint(facets); got != c.facets {
				t.Errorf("changes %s, want %s: %s", got, c.facets, cmp.Diff(stored, r.State))
			}
		})
	}
}

// Each name that can be unreadable is known here.
func TestEveryUnreadableMemberIsKnown(t *testing.T) {
	known := map[string]bool{}
	for _, m := range members {
		known[m.name] = true
	}
	for _, bad := range []string{`5`, `"x"`, `[5]`, `{"a":1}`, `true`} {
		for path := range known {
			path = strings.Replace(path, ".*", ".city", 1)
			parts := strings.Split(path, ".")
			body := bad
			for i := len(parts) - 1; i >= 0; i-- {
				body = `{"` + parts[i] + `":` + body + `}`
				if i > 0 && parts[i-1] == "reasons" {
					body = "[" + body + "]"
				}
			}
			for _, name := range answer(t, body).Unreadable {
				if prefix, _, ok := strings.Cut(name, "Address."); ok {
					name = prefix + "Address.*"
				}
				if !known[name] {
					t.Errorf("%s: %s is not known", body, name)
				}
			}
		}
	}
}

func TestRefusalsOfAnAccount(t *testing.T) {
	refused := func(a wallet.AccountID, id wallet.ChargePermissionID) Result {
		return Result{Claim: Claim{Account: a, ID: id}, Kind: Failed, Refused: true}
	}
	of := func(a wallet.AccountID, k Kind) Result { return Result{Claim: Claim{Account: a, ID: id}, Kind: k} }
	for name, c := range map[string]struct {
		results []Result
		want    []Refusals
	}{
		"nothing said": {[]Result{of("a", Failed), of("a", Left), of("a", NotCalled), of("a", Deferred)}, nil},
		"answered":     {[]Result{of("a", Gone), of("b", Read), of("c", NotFollowed)}, []Refusals{{Account: "a", Answered: true}, {Account: "b", Answered: true}, {Account: "c", Answered: true}}},
		"refused":      {[]Result{refused("b", "2"), refused("a", "3"), refused("b", "1")}, []Refusals{{Account: "a", IDs: []string{"3"}}, {Account: "b", IDs: []string{"1", "2"}}}},
		"both":         {[]Result{refused("a", "2"), of("a", Read)}, []Refusals{{Account: "a", IDs: []string{"2"}, Answered: true}}},
	} {
		if d := cmp.Diff(c.want, RefusalsOf(c.results)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// An error is logged when calls pause because several ids in a row were refused.
func TestSeveralRefusedAreReported(t *testing.T) {
	var log, metrics strings.Builder
	m := telemetry.NewMetrics(&metrics, "f", time.Now)
	s := &store{claimed: Claimed{Claims: []Claim{{Account: "main", ID: id}}}, refused: []wallet.AccountID{"main"}}
	r := Runner{Store: s, Settings: Defaults(), Metrics: m,
		API: func(context.Context, wallet.AccountID) (API, error) {
			return refusing{&amazonpay.Error{StatusCode: 401, ReasonCode: "UnauthorizedAccess"}}, nil
		},
		Follow: func(wallet.AccountID) wallet.Followed { return wallet.DefaultFollowed() },
		Jitter: func() float64 { return 0 }, NewLease: func() Lease { return Lease{1} }}
	if _, err := r.Refresh(zerolog.New(&log).WithContext(t.Context()), wallet.Batch{Notifications: []wallet.Notification{{Account: "main", MessageID: "m"}}}); err != nil {
		t.Fatal(err)
	}
	m.Flush()
	want := []Refusals{{Account: "main", IDs: []string{id}}}
	if d := cmp.Diff(want, s.got.Refusals); d != "" || s.got.Results[0].Backoff == 0 || len(s.got.Closings) != 0 {
		t.Errorf("%s, %+v", d, s.got)
	}
	if !strings.Contains(metrics.String(), `"KeyRefused":1`) || !strings.Contains(log.String(), `"remedy"`) {
		t.Errorf("%s %s", metrics.String(), log.String())
	}
}

type refusing struct{ err error }

func (r refusing) GetChargePermission(context.Context, string) (*amazonpay.ChargePermission, error) {
	return nil, r.err
}

func TestDeepAnswersAreKeptAsText(t *testing.T) {
	for body, want := range map[string]int{`{}`: 1, `5`: 0, `{"a":"[[[\\","b":[{"c\"[":[]}]}`: 4, `["]","["]`: 1} {
		if got := depth([]byte(body)); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
	deep := `{"chargePermissionType":"PaymentMethodOnFile","buyer":{"name":"Ada"},"somethingNew":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`
	r := answered(Claim{ID: id}, answer(t, deep), wallet.DefaultFollowed(), 0)
	var text string
	if err := json.Unmarshal(r.Raw, &text); err != nil || text != deep || r.Kind != Read || r.State.BuyerName != "Ada" {
		t.Errorf("%s, %v", r.Kind, err)
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
	refused []wallet.AccountID
}

func (s *store) Claim(context.Context, ClaimRequest) (Claimed, error) { return s.claimed, s.err }
func (s *store) Commit(_ context.Context, q CommitRequest) (Committed, error) {
	s.got = q
	return Committed{Wakes: s.wakes, Refused: s.refused}, s.commit
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

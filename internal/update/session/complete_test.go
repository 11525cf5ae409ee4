package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

const (
	permission = wallet.ChargePermissionID("S01-0000000-0000001")
	checkout   = "bd504926-f659-4ad7-a1a9-9a747aaf5275"
)

var amazonsNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// said is one answer of Amazon Pay.
type said struct {
	state, reason string // of the session
	of            wallet.ChargePermissionID
	err           error
	took          time.Duration
}

// amazon returns its answers in order, repeats the last one, and records the calls.
type amazon struct {
	t             *testing.T
	complete, get []said
	asked         []string // "complete <key>" or "get"
}

func (a *amazon) next(list *[]said) (*amazonpay.CheckoutSession, error) {
	if len(*list) == 0 {
		a.t.Fatalf("not expected: %v", a.asked)
	}
	s := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	time.Sleep(s.took)
	if s.err != nil {
		return nil, s.err
	}
	return &amazonpay.CheckoutSession{
		ID: checkout, ChargePermissionID: string(s.of),
		StatusDetails: amazonpay.CheckoutSessionStatus{State: s.state, ReasonCode: s.reason},
		Response:      amazonpay.Response{Date: amazonsNow, RequestID: "request"},
	}, nil
}

func (a *amazon) CompleteCheckoutSession(_ context.Context, id, key string) (*amazonpay.CheckoutSession, error) {
	if id != checkout {
		a.t.Errorf("completes %q", id)
	}
	a.asked = append(a.asked, "complete "+key)
	return a.next(&a.complete)
}

func (a *amazon) GetCheckoutSession(_ context.Context, id string) (*amazonpay.CheckoutSession, error) {
	if id != checkout {
		a.t.Errorf("gets %q", id)
	}
	a.asked = append(a.asked, "get")
	return a.next(&a.get)
}

// calls returns the names of the calls, without keys.
func (a *amazon) calls() string {
	var out []string
	for _, c := range a.asked {
		name, _, _ := strings.Cut(c, " ")
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// bucket is a store with a number of tokens. Each wait adds one.
type bucket struct {
	tokens  map[wallet.Call]int
	wait    time.Duration
	rests   []string
	settled []Settlement
	lost    bool // another worker has the lease
	refused []string
	paused  bool // the result of Refused
}

func (b *bucket) Take(_ context.Context, _ wallet.AccountID, c wallet.Call) (bool, time.Duration, error) {
	if n, limited := b.tokens[c]; limited && n <= 0 {
		b.tokens[c]++
		return false, b.wait, nil
	} else if limited {
		b.tokens[c]--
	}
	return true, 0, nil
}

func (b *bucket) Rest(_ context.Context, a wallet.AccountID, c wallet.Call, d time.Duration, _ string) error {
	b.rests = append(b.rests, fmt.Sprintf("%s %s %s", a, c, d))
	return nil
}

func (b *bucket) Refused(_ context.Context, a wallet.AccountID, c wallet.Call, checkoutSession string) (bool, error) {
	b.refused = append(b.refused, fmt.Sprintf("%s %s %s", a, c, checkoutSession))
	return b.paused, nil
}

func (b *bucket) Return(_ context.Context, a wallet.AccountID, c wallet.Call, d time.Duration, _ string) error {
	b.rests = append(b.rests, fmt.Sprintf("%s %s %s, token returned", a, c, d))
	return nil
}

func (b *bucket) Settle(_ context.Context, s Settlement) (bool, error) {
	b.settled = append(b.settled, s)
	return !b.lost, nil
}

func refusal(status int, code string) error {
	return fmt.Errorf("complete: %w", &amazonpay.Error{StatusCode: status, ReasonCode: code, Response: amazonpay.Response{RequestID: "refused"}})
}

var (
	completed = said{state: "Completed", of: permission}
	isOpen    = said{state: "Open", of: permission}
	cancelled = said{state: "Canceled", reason: "BuyerCanceled", of: permission}
	broken    = said{err: refusal(500, "InternalServerError")}
	throttled = said{err: refusal(429, "TooManyRequests")}
	isEnded   = said{err: refusal(422, "InvalidCheckoutSessionStatus")}
	another   = said{state: "Completed", of: "S01-0000000-0000002"}
	isGone    = said{err: refusal(404, "ResourceNotFound")}
)

// finished runs Finish with Amazon's answers.
func finished(t *testing.T, a *amazon, b *bucket, from Attempt, timeout time.Duration) (Attempt, bool) {
	t.Helper()
	a.t = t
	c := &Completer{Store: b, Jitter: func() float64 { return 0 }, Pause: time.Minute, API: func(wallet.AccountID) (API, error) { return a, nil }}
	from.Account, from.ChargePermission, from.CheckoutSession = "main", permission, checkout
	got, ours, err := c.Finish(t.Context(), from, Lease{1}, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return got, ours
}

func TestEveryAnswerOfAmazonHasAnOutcome(t *testing.T) {
	for _, c := range []struct {
		name          string
		complete, get []said
		outcome       Outcome
		reason        string
		calls         string
	}{
		{"completed", []said{completed}, nil, OutcomeCompleted, "", "complete"},
		{"completed, for another charge permission", []said{another}, nil, OutcomeFailed, ReasonOtherPermission, "complete"},
		{"completed, and only the second call returns the charge permission", []said{{state: "Completed"}}, []said{completed}, OutcomeCompleted, "", "complete get"},
		{"completed, in another case", []said{{state: "Completed", of: "s01-0000000-0000001"}}, nil, OutcomeCompleted, "", "complete"},
		{"completed, and the second call returns another charge permission", []said{{state: "Completed"}}, []said{another}, OutcomeFailed, ReasonOtherPermission, "complete get"},
		{"completed, for none", []said{{state: "Completed"}}, []said{{state: "Completed"}}, "", "", "complete get"},
		{"completed, for none, and not to be looked at", []said{{state: "Completed"}}, []said{broken}, "", "", "complete get"},
		{"cancelled by the buyer", []said{{err: refusal(422, "CheckoutSessionCanceled")}}, []said{cancelled}, OutcomeFailed, "BuyerCanceled", "complete get"},
		{"cancelled, as a 400", []said{{err: refusal(400, "CheckoutSessionCanceled")}}, []said{{state: "Canceled", reason: "Declined"}}, OutcomeFailed, "Declined", "complete get"},
		{"cancelled without a known reason", []said{{err: refusal(422, "CheckoutSessionCanceled")}}, []said{broken}, OutcomeFailed, "CheckoutSessionCanceled", "complete get"},
		{"cancelled, as an answer", []said{{state: "Canceled", reason: "Expired"}}, nil, OutcomeFailed, "Expired", "complete"},
		{"ended before, completed", []said{isEnded}, []said{completed}, OutcomeCompleted, "", "complete get"},
		{"ended before, cancelled", []said{isEnded}, []said{cancelled}, OutcomeFailed, "BuyerCanceled", "complete get"},
		{"ended before, for another charge permission", []said{isEnded}, []said{{state: "Completed", of: "S01-0000000-0000002"}}, OutcomeFailed, ReasonOtherPermission, "complete get"},
		{"ended before, and not to be looked at", []said{isEnded}, []said{broken}, "", "", "complete get"},
		{"not known", []said{isGone}, nil, OutcomeFailed, "ResourceNotFound", "complete"},
		{"declined", []said{{err: refusal(422, "HardDeclined")}}, nil, OutcomeFailed, "HardDeclined", "complete"},
		{"refused for an unknown reason", []said{{err: refusal(422, "BrandNew")}}, nil, OutcomeFailed, "BrandNew", "complete"},
		{"refused without a reason", []said{{err: refusal(400, "")}}, nil, OutcomeFailed, "http_400", "complete"},
		{"refused for a reason that is none", []said{{err: refusal(422, strings.Repeat("x", 100))}}, nil, OutcomeFailed, "http_422", "complete"},
		{"throttled", []said{throttled}, nil, "", "", "complete"},
		{"broken", []said{broken}, nil, "", "", "complete"},
		{"a 5xx with an unknown reason", []said{{err: refusal(503, "BrandNew")}}, nil, "", "", "complete"},
		{"the key is refused", []said{{err: refusal(403, "InvalidRequestSignature")}}, nil, "", "", "complete"},
		{"no answer that can be read", []said{{err: &amazonpay.Error{StatusCode: 200, Err: errors.New("not JSON")}}}, nil, "", "", "complete"},
		{"another merchant's", []said{{err: refusal(401, "UnauthorizedAccess")}}, nil, "", "", "complete"},
		{"still open after a success", []said{isOpen}, []said{isOpen}, "", "", "complete get"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := &amazon{complete: c.complete, get: c.get}, &bucket{}
			got, ours := finished(t, a, b, Attempt{}, 0)
			if !ours || got.Outcome != c.outcome || len(b.settled) != 1 || b.settled[0].Reason != c.reason {
				t.Errorf("%q, %+v", got.Outcome, b.settled)
			}
			if a.calls() != c.calls {
				t.Errorf("calls: %s", a.calls())
			}
			s := b.settled[0]
			if wantAt := amazonsNow.Add(time.Second); (s.Outcome == OutcomeCompleted) != s.CompletedAt.Equal(wantAt) {
				t.Errorf("completed at %s", s.CompletedAt)
			}
			if (s.Outcome == "") != (s.Error != "") || (s.Outcome == "") != (s.Failures == 1) {
				t.Errorf("error %q, failures %d", s.Error, s.Failures)
			}
		})
	}
}

// Amazon keeps a Checkout Session for 30 days, so an unknown one was invented. A
// cancelled one was not.
func TestUnknownCheckoutSessionIsASecurityEvent(t *testing.T) {
	for name, c := range map[string]struct {
		says said
		want bool
	}{
		"ResourceNotFound":      {isGone, true},
		"404 without a reason":  {said{err: refusal(404, "")}, true},
		"404, and a new reason": {said{err: refusal(404, "BrandNew")}, true},
		"cancelled":             {cancelled, false},
		"no answer":             {broken, false},
	} {
		var out bytes.Buffer
		a := &amazon{t: t, complete: []said{c.says}}
		m := telemetry.NewMetrics(&out, "checkout-return", time.Now)
		f := &Completer{Store: &bucket{}, Jitter: func() float64 { return 0 }, Metrics: m, API: func(wallet.AccountID) (API, error) { return a, nil }}
		if _, _, err := f.Finish(t.Context(), Attempt{Account: "main", ChargePermission: permission, CheckoutSession: checkout}, Lease{1}, 0); err != nil {
			t.Fatal(err)
		}
		m.Flush()
		if got := strings.Contains(out.String(), `"SecurityEvents"`) && strings.Contains(out.String(), "unknown_checkout_session"); got != c.want {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

func TestBuyerWaitsForAmazonToRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a, b := &amazon{complete: []said{broken, throttled, completed}}, &bucket{}
		got, _ := finished(t, a, b, Attempt{}, 10*time.Second)
		if got.Outcome != OutcomeCompleted || a.calls() != "complete complete complete" {
			t.Errorf("%q after %s", got.Outcome, a.calls())
		}
		if a.asked[0] != a.asked[1] || a.asked[1] != a.asked[2] {
			t.Errorf("the idempotency key changed: %v", a.asked)
		}
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("took %s", took)
		}
		if len(b.rests) != 1 || b.rests[0] != "main complete_checkout_session 0s" {
			t.Errorf("calls do not pause after a 429: %v", b.rests)
		}
	})
}

func TestTimeoutEndsTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a, b := &amazon{complete: []said{{err: broken.err, took: 2 * time.Second}}, get: []said{{err: broken.err, took: 2 * time.Second}}}, &bucket{}
		got, ours := finished(t, a, b, Attempt{}, 5*time.Second)
		if !ours || got.Outcome != "" || got.Failures == 0 {
			t.Errorf("%+v", got)
		}
		if took := time.Since(start); took > 7*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestEveryCallTakesAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first call takes the only token. The second waits for another.
		a := &amazon{complete: []said{broken, completed}}
		b := &bucket{tokens: map[wallet.Call]int{wallet.CompleteCheckoutSession: 1}, wait: 3 * time.Second}
		start := time.Now()
		got, _ := finished(t, a, b, Attempt{}, 10*time.Second)
		if took := time.Since(start); got.Outcome != OutcomeCompleted || took != 3500*time.Millisecond {
			t.Errorf("%q after %s", got.Outcome, took)
		}
		// No token comes before the buyer's timeout.
		a, b = &amazon{}, &bucket{tokens: map[wallet.Call]int{wallet.CompleteCheckoutSession: 0}, wait: time.Minute}
		if got, _ := finished(t, a, b, Attempt{}, 10*time.Second); got.Outcome != "" || got.Failures != 0 || len(a.asked) != 0 {
			t.Errorf("%+v, %v", got, a.asked)
		}
	})
}

func TestFetchOfTheReasonDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a := &amazon{complete: []said{{err: refusal(422, "CheckoutSessionCanceled")}}}
		b := &bucket{tokens: map[wallet.Call]int{wallet.GetCheckoutSession: 0}, wait: time.Second}
		got, _ := finished(t, a, b, Attempt{}, 10*time.Second)
		if got.Outcome != OutcomeFailed || b.settled[0].Reason != "CheckoutSessionCanceled" || time.Since(start) != 0 {
			t.Errorf("%+v after %s", b.settled, time.Since(start))
		}
	})
}

func TestNewKeyAfterThreeFailuresIfTheSessionIsOpen(t *testing.T) {
	from := Attempt{Progress: Progress{Key: 0, Failures: 3}}
	a, b := &amazon{get: []said{isOpen}, complete: []said{broken}}, &bucket{}
	got, _ := finished(t, a, b, from, 0)
	if a.calls() != "get complete" || a.asked[1] != "complete "+idempotencyKey(checkout, 1) || got.Key != 1 || got.Failures != 1 {
		t.Errorf("%v, %+v", a.asked, got)
	}
	// The second call finds the outcome behind a repeated 5xx.
	a, b = &amazon{get: []said{completed}}, &bucket{}
	if got, _ := finished(t, a, b, from, 0); got.Outcome != OutcomeCompleted || a.calls() != "get" {
		t.Errorf("%v, %+v", a.asked, got)
	}
	// The key stays while Get Checkout Session fails.
	a, b = &amazon{get: []said{broken}}, &bucket{}
	if got, _ := finished(t, a, b, from, 0); got.Key != 0 || got.Failures != 4 || a.calls() != "get" {
		t.Errorf("%v, %+v", a.asked, got)
	}
}

func TestDuplicateKeyIsReplaced(t *testing.T) {
	a, b := &amazon{complete: []said{{err: refusal(400, "DuplicateIdempotencyKey")}, completed}}, &bucket{}
	synctest.Test(t, func(t *testing.T) {
		got, _ := finished(t, a, b, Attempt{}, 10*time.Second)
		if got.Outcome != OutcomeCompleted || a.asked[1] != "complete "+idempotencyKey(checkout, 1) {
			t.Errorf("%v, %+v", a.asked, got)
		}
	})
}

func TestAttemptWithoutOutcomeFailsAfterADay(t *testing.T) {
	a, b := &amazon{complete: []said{broken}}, &bucket{}
	got, _ := finished(t, a, b, Attempt{Overdue: true}, 0)
	if got.Outcome != OutcomeFailed || b.settled[0].Reason != ReasonUnclear {
		t.Errorf("%+v", b.settled)
	}
	a, b = &amazon{complete: []said{completed}}, &bucket{}
	if got, _ := finished(t, a, b, Attempt{Overdue: true}, 0); got.Outcome != OutcomeCompleted {
		t.Errorf("%+v", got)
	}
}

func TestLostLeaseReportsNoOutcome(t *testing.T) {
	a, b := &amazon{complete: []said{completed}}, &bucket{lost: true}
	if _, ours := finished(t, a, b, Attempt{}, 0); ours {
		t.Error("ours")
	}
}

func TestRefusedKeyPausesTheCalls(t *testing.T) {
	a, b := &amazon{complete: []said{{err: refusal(401, "InvalidRequestSignature")}}}, &bucket{}
	got, _ := finished(t, a, b, Attempt{}, 10*time.Second)
	if a.calls() != "complete" || len(b.rests) != 1 || b.rests[0] != "main complete_checkout_session 1m0s" || len(b.refused) != 0 || got.Failures != 1 {
		t.Errorf("%v, %v, %+v", a.asked, b.rests, got)
	}
}

// A refused Checkout Session has its own back-off. The account's calls pause only if
// several different ones are refused.
func TestObjectRefusedBacksOff(t *testing.T) {
	a, b := &amazon{complete: []said{{err: refusal(403, "")}}}, &bucket{}
	got, _ := finished(t, a, b, Attempt{Progress: Progress{Failures: 1}}, 10*time.Second)
	if a.calls() != "complete" || len(b.rests) != 0 || len(b.refused) != 1 || b.refused[0] != "main complete_checkout_session "+checkout {
		t.Errorf("%v, %v, %v", a.asked, b.rests, b.refused)
	}
	if s := b.settled[0]; got.Failures != 2 || s.Error == "" || s.Again != backoff(2) || len(s.Answered) != 0 {
		t.Errorf("%+v", s)
	}
}

// An error of ours before the call does not count as a failure of the attempt.
func TestCallThatCannotBeMadeReturnsItsToken(t *testing.T) {
	for _, timeout := range []time.Duration{0, 10 * time.Second} {
		a, b := &amazon{complete: []said{{err: amazonpay.NotCalled(errors.New("no secret"))}}}, &bucket{}
		got, ours := finished(t, a, b, Attempt{Progress: Progress{Failures: 2}}, timeout)
		if !ours || got.Outcome != "" || got.Failures != 2 || a.calls() != "complete" || b.settled[0].Error == "" {
			t.Errorf("%+v, %v", b.settled, a.asked)
		}
		if len(b.rests) != 1 || b.rests[0] != "main complete_checkout_session 10s, token returned" {
			t.Errorf("%v", b.rests)
		}
	}
	// It does not hide a known outcome either.
	a := &amazon{complete: []said{{err: refusal(422, "CheckoutSessionCanceled")}}, get: []said{{err: amazonpay.NotCalled(errors.New("no secret"))}}}
	b := &bucket{}
	if got, _ := finished(t, a, b, Attempt{}, 0); got.Outcome != OutcomeFailed || b.settled[0].Error != "" || b.settled[0].Reason != "CheckoutSessionCanceled" {
		t.Errorf("%+v", b.settled)
	}
}

func TestAnswersConfirmTheKey(t *testing.T) {
	for name, c := range map[string]struct {
		complete, get []said
		want          string
	}{
		"completed": {[]said{completed}, nil, "[complete_checkout_session]"},
		"not known": {[]said{isGone}, nil, "[complete_checkout_session]"},
		"looked at": {[]said{isEnded}, []said{completed}, "[get_checkout_session]"},
		"broken":    {[]said{broken}, nil, "[]"},
	} {
		b := &bucket{}
		finished(t, &amazon{complete: c.complete, get: c.get}, b, Attempt{}, 0)
		if got := fmt.Sprint(b.settled[0].Answered); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Amazon Pay API, "Idempotency": 1 to 32 of these characters.
func TestIdempotencyKeysFitAndDiffer(t *testing.T) {
	form := regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	seen := map[string]bool{}
	for _, id := range []string{checkout, strings.ToUpper(checkout), "x"} {
		for n := range 3 {
			key := idempotencyKey(id, n)
			if !form.MatchString(key) || seen[key] || key != idempotencyKey(id, n) {
				t.Errorf("%s %d: %q", id, n, key)
			}
			seen[key] = true
		}
	}
}

func TestAnotherBuyersSessionIsASecurityEvent(t *testing.T) {
	var log strings.Builder
	a, b := &amazon{t: t, complete: []said{another}}, &bucket{}
	c := &Completer{Store: b, Jitter: func() float64 { return 0 }, API: func(wallet.AccountID) (API, error) { return a, nil }}
	ctx := zerolog.New(&log).WithContext(t.Context())
	if _, _, err := c.Finish(ctx, Attempt{Account: "main", ChargePermission: permission, CheckoutSession: checkout}, Lease{1}, 0); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `"event":"security"`) || !strings.Contains(log.String(), checkout) {
		t.Error(log.String())
	}
	if strings.Contains(log.String(), "S01-0000000") {
		t.Errorf("a charge permission's id is in the log: %s", log.String())
	}
}

func FuzzReason(f *testing.F) {
	f.Add("BuyerCanceled")
	f.Add("x\n\"")
	form := regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := reasonOf(s, "other"); !form.MatchString(got) {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// owed is the reconciler's store.
type owed struct {
	bucket
	open    []Open
	left    []Left
	ours    bool
	wanted  []Left
	noted   int
	leftErr error
}

func (o *owed) Open(context.Context, wallet.AccountID, int) ([]Open, error) { return o.open, nil }
func (o *owed) Begin(_ context.Context, id ID, cs string, _ Lease, _ time.Duration) (Begun, error) {
	return Begun{Found: true, Ours: o.ours, Attempt: Attempt{Account: "main", ChargePermission: permission, Session: id, CheckoutSession: cs}}, nil
}
func (o *owed) Left(context.Context, wallet.AccountID, int) ([]Left, error) { return o.left, o.leftErr }
func (o *owed) WantLeft(_ context.Context, l Left) error {
	o.wanted = append(o.wanted, l)
	return nil
}
func (o *owed) NoteStored(context.Context, wallet.AccountID) error {
	o.noted++
	return nil
}

func TestReconcilerFinishesOpenUpdates(t *testing.T) {
	expired := Left{Session: ID{2}, Account: "main", ChargePermission: permission, Expired: true}
	for _, c := range []struct {
		name  string
		store owed
		calls string
		err   bool
	}{
		{"nothing", owed{}, "", false},
		{"an unclear return", owed{open: []Open{{ID{1}, checkout}}, ours: true}, "complete", false},
		{"one that the buyer came back to", owed{open: []Open{{ID{1}, checkout}}}, "", false},
		{"one that expired", owed{left: []Left{expired}}, "", false},
		{"the store fails half-way", owed{open: []Open{{ID{1}, checkout}}, ours: true, leftErr: errors.New("down")}, "complete", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &amazon{t: t, complete: []said{completed}}
			u := &Unfinished{Store: &c.store, Limit: 10, NewLease: func() Lease { return Lease{1} },
				Completer: &Completer{Store: &c.store, Jitter: func() float64 { return 0 }, API: func(wallet.AccountID) (API, error) { return a, nil }}}
			if err := u.Do(t.Context(), "main"); (err != nil) != c.err {
				t.Error(err)
			}
			if a.calls() != c.calls || len(c.store.wanted) != len(c.store.left) || c.store.noted != 1 {
				t.Errorf("calls %q, wanted %v, noted %d", a.calls(), c.store.wanted, c.store.noted)
			}
		})
	}
}

// silent is an Amazon Pay that never answers.
type silent struct{}

func (silent) GetCheckoutSession(ctx context.Context, _ string) (*amazonpay.CheckoutSession, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) CompleteCheckoutSession(ctx context.Context, _, _ string) (*amazonpay.CheckoutSession, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// held is a store that records how much time is left to store an outcome. With hangs
// it never answers.
type held struct {
	bucket
	hangs bool
	left  time.Duration
}

func (h *held) Settle(ctx context.Context, s Settlement) (bool, error) {
	end, _ := ctx.Deadline()
	h.left = time.Until(end)
	if h.hangs {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return h.bucket.Settle(ctx, s)
}

// TestSilentAmazonLeavesTimeToStoreTheAttempt: the calls end early
// enough to store their result, for every caller and timeout. If the store does not
// answer either, the caller still has time to answer.
func TestSilentAmazonLeavesTimeToStoreTheAttempt(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		budget, timeout, calls, store time.Duration
	}{
		{26 * s, 10 * s, 10 * s, 5 * s}, // checkout-return
		{26 * s, 25 * s, 21 * s, 5 * s},
		{13 * s, 0, 8 * s, 5 * s}, // the least time of the reconciler
		{4 * s, 10 * s, 2 * s, 2 * s},
	} {
		for _, hangs := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.budget)
				defer cancel()
				store, began := &held{hangs: hangs}, time.Now()
				completer := &Completer{Store: store, Jitter: func() float64 { return 0 }, API: func(wallet.AccountID) (API, error) { return silent{}, nil }}
				_, _, err := completer.Finish(ctx, Attempt{Account: "main", ChargePermission: permission, CheckoutSession: checkout}, Lease{1}, c.timeout)
				want := c.calls
				if hangs {
					want += c.store
				}
				if took := time.Since(began); took != want || store.left != c.store || (err != nil) != hangs {
					t.Errorf("of %v with a timeout of %v it took %v, of which %v to store: %v", c.budget, c.timeout, took, store.left, err)
				}
			})
		}
	}
}

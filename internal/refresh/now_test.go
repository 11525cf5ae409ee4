package refresh_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/refresh"
	"walletsync/internal/refresh/storetest"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

const one wallet.ChargePermissionID = "S01-0000000-0000001"

// rig is a runner over the model, with an Amazon Pay whose answers are given.
type rig struct {
	*refresh.Runner
	clock  *storetest.Clock
	model  *storetest.Model
	city   string
	kind   string
	errs   []error // what the next calls come to, before they answer
	during func()  // runs while the call is under way
	calls  int
	wakes  []time.Duration
	waits  []time.Duration
	leases byte
}

func newRig(t *testing.T) *rig {
	clock := storetest.NewClock()
	g := &rig{clock: clock, model: storetest.NewModel(clock.Now, storetest.Accounts()...), city: "Exampleton", kind: "PaymentMethodOnFile"}
	g.Runner = &refresh.Runner{
		Store: g.model, Waker: g, Settings: refresh.Defaults(), Jitter: func() float64 { return 0 },
		API:      func(context.Context, wallet.AccountID) (refresh.API, error) { return g, nil },
		Follow:   func(wallet.AccountID) wallet.Followed { return wallet.DefaultFollowed() },
		NewLease: func() refresh.Lease { g.leases++; return refresh.Lease{g.leases} },
		Wait: func(_ context.Context, d time.Duration) bool {
			g.waits = append(g.waits, d)
			g.clock.Advance(d)
			return true
		},
	}
	return g
}

func (g *rig) Wake(_ context.Context, _ wallet.AccountID, _ time.Time, delay time.Duration) error {
	g.wakes = append(g.wakes, delay)
	return nil
}

func (g *rig) GetChargePermission(ctx context.Context, id string) (*amazonpay.ChargePermission, error) {
	g.calls++
	body := fmt.Sprintf(`{"chargePermissionId":%q,"chargePermissionType":%q,"shippingAddress":{"city":%q}}`, id, g.kind, g.city)
	if g.during != nil {
		do := g.during
		g.during = nil
		do()
	}
	if len(g.errs) > 0 {
		err := g.errs[0]
		g.errs = g.errs[1:]
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	got := &amazonpay.ChargePermission{Raw: json.RawMessage(body)}
	err := json.Unmarshal([]byte(body), got)
	got.Response = amazonpay.Response{RequestID: "request", Date: g.clock.Now()}
	return got, err
}

// returned is what a buyer's return asks for.
func (g *rig) returned() wallet.Want {
	return wallet.Want{Account: "main", ChargePermission: one, Priority: wallet.PriorityReturn, At: g.clock.Now().Add(time.Second)}
}

func (g *rig) now(t *testing.T, w wallet.Want) wallet.Refreshed {
	t.Helper()
	out, err := g.Now(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// row is the model's row of the one charge permission.
func (g *rig) row(t *testing.T) storetest.Row {
	t.Helper()
	rows := g.model.Snapshot().Rows
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	return rows[0]
}

func (g *rig) notified(n int) wallet.Batch {
	return wallet.Batch{Notifications: []wallet.Notification{{Account: "main", MessageID: fmt.Sprint("m", n), ObjectType: wallet.ObjectChargePermission,
		ChargePermission: one, Published: g.clock.Now()}}}
}

func serverError(status int) error { return &amazonpay.Error{StatusCode: status} }

func TestAReturnIsReadAtOnceAndConfirmed(t *testing.T) {
	g := newRig(t)
	out := g.now(t, g.returned())
	if !out.Settled || !out.Confirm || out.Kind != "read" || out.State == nil || out.State.Shipping.City != "Exampleton" || len(out.Changes) != 1 {
		t.Errorf("%+v", out)
	}
	g.clock.Advance(10 * time.Second)
	g.city = "Newtown"
	out = g.now(t, g.returned())
	if !out.Settled || len(out.Changes) != 1 || out.Changes[0].Facet != wallet.FacetShippingAddress || out.State.Shipping.City != "Newtown" {
		t.Errorf("%+v", out)
	}
	for _, c := range g.model.Snapshot().Changes {
		if c.Cause != wallet.CauseReturn {
			t.Errorf("change %d has cause %s", c.Position, c.Cause)
		}
	}
}

func TestWhatWasReadLongEnoughAfterCostsNoCall(t *testing.T) {
	g := newRig(t)
	w := g.returned()
	g.clock.Advance(20 * time.Second)
	g.now(t, wallet.Want{Account: "main", ChargePermission: one, Priority: wallet.PriorityRefresh})
	out := g.now(t, w)
	if !out.Settled || out.Confirm || out.Kind != "" || out.State == nil || g.calls != 1 {
		t.Errorf("%+v after %d calls", out, g.calls)
	}
}

func TestWhoAsksOfNoMomentIsAlwaysRead(t *testing.T) {
	g := newRig(t)
	w := wallet.Want{Account: "main", ChargePermission: one, Priority: wallet.PriorityRefresh}
	g.now(t, w)
	if out := g.now(t, w); !out.Settled || out.Confirm || g.calls != 2 {
		t.Errorf("%+v after %d calls", out, g.calls)
	}
}

func TestAnUnknownIDIsReadEvenIfOnlyKnownOnesAreFollowed(t *testing.T) {
	g := newRig(t)
	w := g.returned()
	w.Account = "known"
	if out := g.now(t, w); !out.Settled || out.State == nil {
		t.Errorf("%+v", out)
	}
}

func TestWhatIsNotFollowedIsSettledWithoutAState(t *testing.T) {
	g := newRig(t)
	g.kind = "OneTime"
	if out := g.now(t, g.returned()); !out.Settled || out.Kind != "not_followed" || out.State != nil {
		t.Errorf("%+v", out)
	}
}

func TestGoneIsSettledOnlyPastTheMargin(t *testing.T) {
	g := newRig(t)
	notFound := func() error {
		return &amazonpay.Error{StatusCode: 404, Response: amazonpay.Response{Date: g.clock.Now()}}
	}
	g.errs = []error{notFound()}
	if out := g.now(t, g.returned()); out.Settled || !out.Confirm || out.Kind != "gone" {
		t.Errorf("early: %+v", out)
	}
	g.clock.Advance(10 * time.Second)
	g.errs = []error{notFound()}
	w := wallet.Want{Account: "main", ChargePermission: one, Priority: wallet.PriorityRefresh}
	if out := g.now(t, w); !out.Settled || out.Confirm || out.Kind != "gone" || !g.row(t).Gone {
		t.Errorf("late: %+v", out)
	}
	// One that is gone is read like any other, and may be back.
	if out := g.now(t, w); !out.Settled || out.State == nil || g.row(t).Gone {
		t.Errorf("back: %+v", out)
	}
}

func TestWithoutATokenItStaysWantedAndAWakeUpIsSent(t *testing.T) {
	g := newRig(t)
	for range 4 {
		g.now(t, g.returned())
	}
	g.wakes = nil
	w := g.returned()
	g.clock.Advance(10 * time.Millisecond)
	out := g.now(t, w)
	if r := g.row(t); out.Settled || out.State == nil || g.calls != 4 || r.Wanted == r.Done || r.Priority != wallet.PriorityReturn {
		t.Errorf("%+v after %d calls; row %+v", out, g.calls, r)
	}
	if len(g.wakes) != 1 {
		t.Errorf("wake-ups %v", g.wakes)
	}
}

func TestATemporaryFailureIsTriedAgainATokenEach(t *testing.T) {
	g := newRig(t)
	g.errs = []error{serverError(500), serverError(503)}
	out := g.now(t, g.returned())
	if !out.Settled || g.calls != 3 || len(g.waits) != 2 || g.waits[1] != 2*g.waits[0] {
		t.Errorf("%+v after %d calls and waits of %v", out, g.calls, g.waits)
	}
	if b := g.model.Snapshot().Buckets["main"]; b.Tokens >= 1.5 {
		t.Errorf("%v tokens are left of 4", b.Tokens)
	}
}

func TestTriesEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		ended bool // the context will not last until the next try
		calls int
	}{
		{"they are bounded", serverError(500), false, 4},
		{"the context will not last", serverError(500), true, 1},
		{"throttled: the account's calls rest", serverError(429), false, 1},
		{"the key is refused", serverError(403), false, 1},
		{"Amazon will not change its mind", serverError(400), false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			if c.ended {
				g.Wait = func(context.Context, time.Duration) bool { return false }
			}
			g.errs = []error{c.err, c.err, c.err, c.err, c.err}
			out := g.now(t, g.returned())
			if r := g.row(t); out.Settled || g.calls != c.calls || r.Wanted == r.Done || r.Lease != (refresh.Lease{}) {
				t.Errorf("%+v after %d calls; row %+v", out, g.calls, r)
			}
			if len(g.wakes) == 0 {
				t.Error("no wake-up")
			}
		})
	}
}

func TestATryThatCannotAskIsNoLoss(t *testing.T) {
	g := newRig(t)
	g.errs = []error{serverError(500)}
	g.during = func() { g.Store = broken{g.model} }
	out, err := g.Now(t.Context(), g.returned())
	if r := g.row(t); err != nil || out.Settled || out.Kind != "failed" || r.Wanted == r.Done {
		t.Errorf("%+v, %v; row %+v", out, err, r)
	}
	if _, err := g.Now(t.Context(), g.returned()); err == nil {
		t.Error("nothing was committed, and no error says so")
	}
}

// broken is a store that claims nothing any more.
type broken struct{ refresh.Store }

func (broken) Claim(context.Context, refresh.ClaimRequest) (refresh.Claimed, error) {
	return refresh.Claimed{}, errors.New("broken")
}

func TestWhenOurTimeRunsOutTheLeaseIsGivenBack(t *testing.T) {
	g := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	g.during = cancel
	g.Store = contextual{g.model}
	out, err := g.Now(ctx, g.returned())
	if r := g.row(t); err != nil || out.Settled || r.Wanted == r.Done || r.Lease != (refresh.Lease{}) || r.Attempts != 0 {
		t.Errorf("%+v, %v; row %+v", out, err, r)
	}
	if len(g.wakes) == 0 {
		t.Error("no wake-up")
	}
}

// contextual is a store that refuses a context that has ended, as Postgres does.
type contextual struct{ refresh.Store }

func (c contextual) Commit(ctx context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	if err := ctx.Err(); err != nil {
		return refresh.Committed{}, err
	}
	return c.Store.Commit(ctx, q)
}

func TestNowTakesALeaseOverAndTheOldHolderStoresNothing(t *testing.T) {
	g := newRig(t)
	g.during = func() {
		g.clock.Advance(time.Second)
		g.city = "Newtown"
		if out := g.now(t, g.returned()); !out.Settled || out.State.Shipping.City != "Newtown" {
			t.Errorf("%+v", out)
		}
	}
	// The worker's answer, from before, comes after Now has stored.
	if again, err := g.Refresh(t.Context(), g.notified(1)); again || err != nil {
		t.Fatal(again, err)
	}
	s := g.model.Snapshot()
	if city := s.Permissions[0].State.Shipping.City; city != "Newtown" || len(s.Changes) != 1 {
		t.Errorf("stored %s, %d changes", city, len(s.Changes))
	}
}

func TestOfTwoAtOnceTheSecondReadsForBoth(t *testing.T) {
	g := newRig(t)
	g.during = func() {
		g.clock.Advance(time.Second)
		if out := g.now(t, g.returned()); !out.Settled {
			t.Errorf("second: %+v", out)
		}
	}
	if out := g.now(t, g.returned()); out.Settled || out.Kind != "read" {
		t.Errorf("first: %+v", out)
	}
	if r := g.row(t); g.calls != 2 || r.Priority != wallet.PriorityConfirm || r.Lease != (refresh.Lease{}) {
		t.Errorf("%d calls, row %+v", g.calls, r)
	}
}

func TestANotificationDuringTheReadIsNotMetByIt(t *testing.T) {
	g := newRig(t)
	g.during = func() {
		g.clock.Advance(2 * time.Second) // newer than the return
		if again, err := g.Refresh(t.Context(), g.notified(1)); again || err != nil {
			t.Fatal(again, err)
		}
		g.city = "Newtown"
	}
	if out := g.now(t, g.returned()); !out.Settled || out.State.Shipping.City != "Exampleton" {
		t.Errorf("%+v", out)
	}
	if r := g.row(t); r.Wanted == r.Done || r.Priority != wallet.PriorityReturn {
		t.Errorf("row %+v", r)
	}
	g.clock.Advance(10 * time.Second)
	if again, err := g.Refresh(t.Context(), wallet.Batch{Woken: []wallet.Wake{{Account: "main"}}}); again || err != nil {
		t.Fatal(again, err)
	}
	if city := g.model.Snapshot().Permissions[0].State.Shipping.City; city != "Newtown" {
		t.Errorf("stored %s", city)
	}
}

func TestWhatBecameOfEachReadIsCountedByItsCause(t *testing.T) {
	g := newRig(t)
	var out bytes.Buffer
	g.Metrics = telemetry.NewMetrics(&out, "f", g.clock.Now)
	if again, err := g.Refresh(t.Context(), g.notified(1)); again || err != nil {
		t.Fatal(again, err)
	}
	g.clock.Advance(30 * time.Second)
	g.during = func() { g.now(t, g.returned()) }
	g.now(t, g.returned())
	w := g.returned()
	w.At = g.clock.Now().Add(-time.Minute)
	g.now(t, w)
	g.Metrics.Flush()
	got := map[string]float64{}
	values := map[string]int{}
	d := json.NewDecoder(&out)
	for d.More() {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		for k, v := range line {
			switch v := v.(type) {
			case float64:
				got[fmt.Sprint(k, " ", line["reason"])] += v
			case []any:
				values[k] += len(v)
			}
		}
	}
	for name, want := range map[string]float64{
		"Fetched ipn": 1, "Fetched return": 2, "Confirmations ipn": 1, "Confirmations return": 1,
		"Unchanged return": 1, "FenceDropped return": 1, "Covered return": 1, "Changes first_read": 1, "Notifications wanted": 1,
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	for name, want := range map[string]int{"BatchSize": 1, "Lag": 1, "Tokens": 3, "OldestWanted": 3} {
		if values[name] != want {
			t.Errorf("%s: %d values, want %d", name, values[name], want)
		}
	}
}

// timed is a store that notes how much of its time a round has left to store.
type timed struct {
	refresh.Store
	left []time.Duration
}

func (s *timed) Commit(ctx context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	if err := ctx.Err(); err != nil {
		return refresh.Committed{}, err
	}
	end, _ := ctx.Deadline()
	s.left = append(s.left, time.Until(end))
	return s.Store.Commit(ctx, q)
}

// silent is an Amazon Pay that takes calls and never answers.
type silent struct{}

func (silent) GetChargePermission(ctx context.Context, _ string) (*amazonpay.ChargePermission, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("get charge permission: %w", ctx.Err())
}

// TestASilentAmazonLeavesTimeToStore: a batch and a read at once end their calls
// while there is time to give the leases back, and to send the wake-up.
func TestASilentAmazonLeavesTimeToStore(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *rig) error{
		"now":   func(ctx context.Context, g *rig) error { _, err := g.Now(ctx, g.returned()); return err },
		"batch": func(ctx context.Context, g *rig) error { _, err := g.Refresh(ctx, g.notified(1)); return err },
	} {
		for budget, want := range map[time.Duration]time.Duration{28 * time.Second: 2 * time.Second, 2 * time.Second: time.Second} {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t)
				store := &timed{Store: g.model}
				g.Store, g.Settings.Timeout = store, time.Minute
				g.API = func(context.Context, wallet.AccountID) (refresh.API, error) { return silent{}, nil }
				ctx, cancel := context.WithTimeout(t.Context(), budget)
				defer cancel()
				if err := ask(ctx, g); err != nil || ctx.Err() != nil {
					t.Errorf("%s of %v: %v, %v", name, budget, err, ctx.Err())
				}
				if len(store.left) != 1 || store.left[0] != want {
					t.Errorf("%s of %v: to store it had %v, want %v", name, budget, store.left, want)
				}
				if r := g.row(t); r.Wanted == r.Done || r.Lease != (refresh.Lease{}) || r.Attempts != 0 || len(g.wakes) != 1 {
					t.Errorf("%s of %v: %+v, wake-ups %v", name, budget, r, g.wakes)
				}
			})
		}
	}
}

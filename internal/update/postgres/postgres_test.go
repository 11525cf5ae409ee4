package postgres_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/pg/pgtest"
	"walletsync/internal/update"
	"walletsync/internal/update/postgres"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

var (
	_ update.StartStore       = (*postgres.Store)(nil)
	_ update.ReturnStore      = (*postgres.Store)(nil)
	_ session.UnfinishedStore = (*postgres.Store)(nil)
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestThisCodeRunsOnTheLastReleasedSchema(t *testing.T) {
	pgtest.RunOnTheLastReleasedSchema(t, "^(TestSession.*|TestAttempt.*|TestCompletion.*|TestChangesAreShownOnce|TestTokens.*)$", "", "TestStoredSessionEqualsTheCreatedOne")
}

const holdForAMinute = time.Minute

// updates is the fixture of these tests.
type updates struct{ *pgtest.Fixture }

func newUpdates(t *testing.T) *updates { return &updates{pgtest.New(t)} }

// permission stores a charge permission with a city, as a worker does.
func (u *updates) permission(state, city string) {
	u.T.Helper()
	u.Exec(`insert into walletsync.charge_permissions (account, id, type, followed, state, shipping_city, stored_at, changed_at)
		values ('main', $1, 'PaymentMethodOnFile', true, $2, nullif($3, ''), $4, $4)
		on conflict (account, id) do update set state = excluded.state, shipping_city = excluded.shipping_city`, pgtest.PermissionOne, state, city, u.Now)
}

// change stores a change, as a worker does.
func (u *updates) change(facet, after string) {
	u.T.Helper()
	u.Exec(`with f as (update walletsync.feed set n = n + 1 returning n)
		insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, after, cause, stored_at)
		select n, 'main', $1, $2, $3::jsonb, 'ipn', $4 from f`, pgtest.PermissionOne, facet, after, u.Now)
}

func (u *updates) begin(n byte, checkout string, held session.Lease) session.Begun {
	u.T.Helper()
	b, err := u.Begin(u.T.Context(), pgtest.SessionID(n), checkout, held, holdForAMinute)
	if err != nil {
		u.T.Fatal(err)
	}
	return b
}

func (u *updates) settle(s session.Settlement) bool {
	u.T.Helper()
	ours, err := u.Settle(u.T.Context(), s)
	if err != nil {
		u.T.Fatal(err)
	}
	return ours
}

// complete begins and completes an attempt.
func (u *updates) complete(n byte, checkout string) session.Attempt {
	u.T.Helper()
	b := u.begin(n, checkout, pgtest.Token(9))
	b.Attempt.Outcome, b.Attempt.CompletedAt = session.OutcomeCompleted, u.Now
	if !u.settle(session.Settlement{Attempt: b.Attempt, Lease: pgtest.Token(9)}) {
		u.T.Fatal("not ours")
	}
	return b.Attempt
}

func (u *updates) state(n byte) string {
	u.T.Helper()
	return u.Text(`select state || coalesce(' ' || reason, '') from walletsync.update_sessions where id = $1::uuid`, pgtest.SessionID(n).String())
}

func TestStoredSessionEqualsTheCreatedOne(t *testing.T) {
	u := newUpdates(t)
	want := u.StartSession(1)
	if err := u.CreateSession(t.Context(), want); err != nil {
		t.Errorf("made again: %v", err)
	}
	got, found, err := u.Session(t.Context(), pgtest.SessionID(1))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	u.permission("Closed", "Exampleton")
	if got, _, _ := u.Session(t.Context(), pgtest.SessionID(1)); !got.Closed {
		t.Error("its charge permission is closed")
	}
	if _, found, err := u.Session(t.Context(), pgtest.SessionID(2)); found || err != nil {
		t.Error(found, err)
	}
}

func TestPermissionReportsAnAddress(t *testing.T) {
	u := newUpdates(t)
	for _, c := range []struct {
		city string
		want bool
	}{{"", false}, {"Exampleton", true}} {
		u.permission("Chargeable", c.city)
		got, err := u.Permissions(t.Context(), pgtest.PermissionOne)
		want := []session.Permission{{Account: "main", Type: "PaymentMethodOnFile", Followed: true, State: "Chargeable", HasAddress: c.want}}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Error(d, err)
		}
	}
	u.Exec(`insert into walletsync.refreshes (account, id, gone_at) values ('main', $1, now())`, pgtest.PermissionOne)
	if got, err := u.Permissions(t.Context(), pgtest.PermissionOne); err != nil || !got[0].Gone {
		t.Error(got, err)
	}
	if got, err := u.Permissions(t.Context(), "S01-0000000-0000009"); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestAttemptHasOneLeaseAtATime(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	first := u.begin(1, pgtest.CheckoutOne, pgtest.Token(1))
	if !first.Ours || first.Session.State != session.Returned || first.Attempt.ChargePermission != pgtest.PermissionOne {
		t.Errorf("%+v", first)
	}
	if again := u.begin(1, pgtest.CheckoutOne, pgtest.Token(1)); !again.Ours {
		t.Error("the same token lost its lease")
	}
	if second := u.begin(1, pgtest.CheckoutOne, pgtest.Token(2)); second.Ours || second.Foreign || !second.Found {
		t.Errorf("%+v", second)
	}
	u.Now = u.Now.Add(holdForAMinute)
	if second := u.begin(1, pgtest.CheckoutOne, pgtest.Token(2)); !second.Ours {
		t.Error("an expired lease cannot be taken over")
	}
	// The first worker stores its outcome too late.
	late := first.Attempt
	late.Outcome, late.CompletedAt = session.OutcomeCompleted, u.Now
	if u.settle(session.Settlement{Attempt: late, Lease: pgtest.Token(1)}) {
		t.Error("the old lease settled the attempt")
	}
	if got := u.state(1); got != "returned" {
		t.Error(got)
	}
}

func TestOneOfManyReturnsLeasesTheAttempt(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	var mu sync.Mutex
	var wg sync.WaitGroup
	ours := 0
	for n := range byte(20) {
		wg.Go(func() {
			b, err := u.Begin(t.Context(), pgtest.SessionID(1), pgtest.CheckoutOne, pgtest.Token(n+1), holdForAMinute)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if b.Ours {
				ours++
			}
		})
	}
	wg.Wait()
	if ours != 1 {
		t.Errorf("%d leases", ours)
	}
}

// A second click returns while the first return stores that the change was shown. An
// insert of the existing attempt would wait for that update, which would wait for the
// inserted row.
func TestReturnsDuringShowDoNotDeadlock(t *testing.T) {
	u := newUpdates(t)
	u.permission("Chargeable", "Exampleton")
	for n := range byte(100) {
		u.StartSession(n + 1)
		checkout := fmt.Sprintf("checkout-%d", n)
		a := u.complete(n+1, checkout)
		u.Now = u.Now.Add(time.Second)
		u.change("shipping_address", `{"city": "Newtown"}`)
		var g errgroup.Group
		for returned := range byte(3) {
			g.Go(func() error {
				_, err := u.Begin(t.Context(), pgtest.SessionID(n+1), checkout, pgtest.Token(returned+1), holdForAMinute)
				return err
			})
			g.Go(func() error {
				_, err := u.Show(t.Context(), a)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckoutSessionBelongsToTheUpdateThatReturnedItFirst(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	u.StartSession(2)
	u.begin(1, pgtest.CheckoutOne, pgtest.Token(1))
	got := u.begin(2, pgtest.CheckoutOne, pgtest.Token(2))
	if !got.Foreign || got.Ours || got.Session.ID != pgtest.SessionID(2) {
		t.Errorf("%+v", got)
	}
	if s := u.state(2); s != "started" {
		t.Errorf("the other session is %s", s)
	}
	if b := u.begin(3, pgtest.CheckoutOne, pgtest.Token(3)); b.Found {
		t.Errorf("an unknown session: %+v", b)
	}
}

// checkoutNumbered returns the nth Checkout Session.
func checkoutNumbered(n int) string { return fmt.Sprintf("bd504926-f659-4ad7-a1a9-%012d", 100+n) }

func (u *updates) attempts() string {
	u.T.Helper()
	return u.Text(`select count(*) from walletsync.update_attempts`)
}

// Invariant 5: the cost of one link is limited.
func TestSessionAcceptsALimitedNumberOfCheckoutSessions(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	var mu sync.Mutex
	ours := 0
	var g errgroup.Group
	for n := range 3 * session.MaxCheckoutSessions {
		g.Go(func() error {
			b, err := u.Begin(t.Context(), pgtest.SessionID(1), checkoutNumbered(n), pgtest.Token(byte(n+1)), holdForAMinute)
			mu.Lock()
			defer mu.Unlock()
			if b.Ours {
				ours++
			}
			if err == nil && (b.Ours == b.Refused || b.Foreign || !b.Found) {
				t.Errorf("%+v", b)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := u.attempts(); ours != session.MaxCheckoutSessions || got != "10" {
		t.Errorf("%d are leased, %s stored", ours, got)
	}
	b := u.begin(1, pgtest.CheckoutOne, pgtest.Token(99))
	if !b.Refused || b.Session.CheckoutSessions != session.MaxCheckoutSessions {
		t.Errorf("%+v", b)
	}
	// Existing attempts continue, even after the session's end.
	u.Now = u.Now.Add(48 * time.Hour)
	known := u.Text(`select checkout_session from walletsync.update_attempts limit 1`)
	if b := u.begin(1, known, pgtest.Token(100)); !b.Ours || b.Refused {
		t.Errorf("%+v", b)
	}
	// The limit is per session.
	u.StartSession(2)
	if b := u.begin(2, pgtest.CheckoutOne, pgtest.Token(101)); !b.Ours || b.Session.CheckoutSessions != 1 {
		t.Errorf("%+v", b)
	}
}

func TestExpiredSessionRefusesCheckoutSessions(t *testing.T) {
	u := newUpdates(t)
	s := u.StartSession(1)
	u.Now = s.ExpiresAt.Add(-time.Second)
	failed := u.begin(1, pgtest.CheckoutOne, pgtest.Token(1)).Attempt
	failed.Outcome = session.OutcomeFailed
	u.settle(session.Settlement{Attempt: failed, Lease: pgtest.Token(1), Reason: "BuyerCanceled"})
	if b := u.begin(1, pgtest.CheckoutTwo, pgtest.Token(2)); !b.Ours {
		t.Errorf("no second try after a failure: %+v", b)
	}
	u.Now = s.ExpiresAt
	if b := u.begin(1, checkoutNumbered(1), pgtest.Token(3)); !b.Refused || b.Ours || b.Foreign || b.Session.CheckoutSessions != 2 {
		t.Errorf("%+v", b)
	}
	if got := u.attempts(); got != "2" {
		t.Errorf("%s are stored", got)
	}
}

// The wallet was erased while the buyer was on Amazon's page.
func TestReturnIsAcceptedAfterAnErasure(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	if s, _, err := u.Session(t.Context(), pgtest.SessionID(1)); !s.Erased || s.State != session.Expired || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	u.complete(1, pgtest.CheckoutOne)
	if got := u.state(1); got != "completed" {
		t.Error(got)
	}
}

func TestReturnWithoutACheckoutSessionRequestsARead(t *testing.T) {
	u := newUpdates(t)
	s := u.StartSession(1)
	for n := range session.MaxCheckoutSessions + 2 {
		if err := u.Unidentified(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		got, _, err := u.Session(t.Context(), pgtest.SessionID(1))
		if want := min(n+1, session.MaxCheckoutSessions); got.ReadsRequested != want || got.State != session.Started || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if got := u.Text(`select (wanted > done) || ' ' || priority from walletsync.refreshes where id = $1`, pgtest.PermissionOne); got != "true 10" {
		t.Error(got)
	}
	if got := u.Text(`select returned_at from walletsync.update_sessions`); got == "" {
		t.Error("when the buyer came back is not stored")
	}
}

// Many attempts of one buyer do not delay those of another.
func TestOpenAttemptsAreTakenFromEachWalletInTurn(t *testing.T) {
	u := newUpdates(t)
	open := func(n byte, checkout string) {
		t.Helper()
		a := u.begin(n, checkout, pgtest.Token(7)).Attempt
		u.settle(session.Settlement{Attempt: a, Lease: pgtest.Token(7), Error: "no answer", Again: time.Minute})
		u.Now = u.Now.Add(time.Second)
	}
	u.StartSession(1)
	u.StartSession(2)
	for n := range session.MaxCheckoutSessions {
		open(1, checkoutNumbered(n))
		open(2, checkoutNumbered(50+n)) // another update of the same wallet
	}
	u.StartSession(3)
	u.Exec(`update walletsync.update_sessions set charge_permission = $2 where id = $1::uuid`, pgtest.SessionID(3).String(), pgtest.PermissionTwo)
	open(3, pgtest.CheckoutOne)
	u.Now = u.Now.Add(time.Hour)
	got, err := u.Open(t.Context(), "main", 3)
	want := []session.Open{{Session: pgtest.SessionID(1), CheckoutSession: checkoutNumbered(0)}, {Session: pgtest.SessionID(3), CheckoutSession: pgtest.CheckoutOne}, {Session: pgtest.SessionID(2), CheckoutSession: checkoutNumbered(50)}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestOldUpdatesAreDeleted(t *testing.T) {
	u := newUpdates(t)
	const day = 24 * time.Hour
	forget := func(limit int) string {
		t.Helper()
		if _, err := u.ForgetUpdates(t.Context(), "main", 90*day, limit); err != nil {
			t.Fatal(err)
		}
		return u.Text(`select string_agg(right(left(id::text, 2), 1) || state, ' ' order by created_at) from walletsync.update_sessions`)
	}
	u.StartSession(1)
	u.complete(1, checkoutNumbered(1))
	u.Now = u.Now.Add(time.Second)
	u.StartSession(2)
	failed := u.begin(2, checkoutNumbered(2), pgtest.Token(1)).Attempt
	failed.Outcome = session.OutcomeFailed
	u.settle(session.Settlement{Attempt: failed, Lease: pgtest.Token(1), Reason: "BuyerCanceled"})
	u.Now = u.Now.Add(time.Second)
	u.StartSession(3) // has not ended
	u.begin(3, checkoutNumbered(3), pgtest.Token(1))
	u.Now = u.Now.Add(time.Second)
	u.StartSession(4) // its link expires late
	u.complete(4, checkoutNumbered(4))
	u.Exec(`update walletsync.update_sessions set expires_at = $2 where id = $1::uuid`, pgtest.SessionID(4).String(), u.Now.Add(200*day))
	u.Now = u.Now.Add(90*day - 4*time.Second)
	if got := forget(10); got != "1completed 2failed 3returned 4completed" {
		t.Errorf("too early: %s", got)
	}
	u.Now = u.Now.Add(4 * time.Second)
	if got := forget(1); got != "2failed 3returned 4completed" {
		t.Errorf("at most one, the oldest first: %s", got)
	}
	if got := forget(10); got != "3returned 4completed" {
		t.Error(got)
	}
	if got := u.Text(`select string_agg(checkout_session, ' ' order by checkout_session) from walletsync.update_attempts`); got != checkoutNumbered(3)+" "+checkoutNumbered(4) {
		t.Errorf("attempts: %s", got)
	}
	u.Now = u.Now.Add(202 * day)
	if got := forget(10); got != "3returned" {
		t.Error(got)
	}
}

// After a restore, the update shows that the erasure before it was lifted.
func TestUpdateThatLiftedAnErasureIsKept(t *testing.T) {
	u := newUpdates(t)
	const day = 24 * time.Hour
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.StartSession(1)
	u.complete(1, pgtest.CheckoutOne)
	u.Now = u.Now.Add(day)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	u.Now = u.Now.Add(day)
	u.StartSession(2)
	u.complete(2, pgtest.CheckoutTwo)
	u.Now = u.Now.Add(1000 * day)
	n, err := u.ForgetUpdates(t.Context(), "main", 90*day, 10)
	if got := u.Text(`select string_agg(checkout_session, ' ') from walletsync.update_attempts`); n != 1 || err != nil || got != pgtest.CheckoutTwo {
		t.Errorf("%d were forgotten, %s is left: %v", n, got, err)
	}
}

func TestSessionFollowsItsAttempts(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	one := u.begin(1, pgtest.CheckoutOne, pgtest.Token(1)).Attempt
	two := u.begin(1, pgtest.CheckoutTwo, pgtest.Token(2)).Attempt
	one.Outcome = session.OutcomeFailed
	u.settle(session.Settlement{Attempt: one, Lease: pgtest.Token(1), Reason: "BuyerCanceled"})
	if got := u.state(1); got != "returned" {
		t.Errorf("with one open: %s", got)
	}
	two.Failures, two.Key = 2, 1
	u.settle(session.Settlement{Attempt: two, Lease: pgtest.Token(2), Error: "no answer", Again: time.Minute})
	if got := u.state(1); got != "returned" {
		t.Errorf("with one unclear: %s", got)
	}
	if early := u.begin(1, pgtest.CheckoutTwo, pgtest.Token(3)); early.Ours || !early.Deferred {
		t.Errorf("tried again before it is due: %+v", early)
	}
	u.Now = u.Now.Add(time.Minute)
	again := u.begin(1, pgtest.CheckoutTwo, pgtest.Token(3))
	if again.Attempt.Failures != 2 || again.Attempt.Key != 1 || !again.Ours {
		t.Errorf("%+v", again)
	}
	two = again.Attempt
	two.Outcome = session.OutcomeFailed
	u.settle(session.Settlement{Attempt: two, Lease: pgtest.Token(3), Reason: "Declined"})
	if got := u.state(1); got != "failed Declined" {
		t.Errorf("with both failed: %s", got)
	}
	if b := u.begin(1, pgtest.CheckoutTwo, pgtest.Token(4)); b.Ours || b.Attempt.Outcome != session.OutcomeFailed {
		t.Errorf("an attempt with an outcome is leased again: %+v", b)
	}
	third := "bd504926-f659-4ad7-a1a9-000000000003"
	u.complete(1, third)
	if got := u.state(1); got != "completed" {
		t.Errorf("the third time it worked: %s", got)
	}
	fourth := u.begin(1, "bd504926-f659-4ad7-a1a9-000000000004", pgtest.Token(5)).Attempt
	fourth.Outcome = session.OutcomeFailed
	u.settle(session.Settlement{Attempt: fourth, Lease: pgtest.Token(5), Reason: "BuyerCanceled"})
	if got := u.state(1); got != "completed" {
		t.Errorf("a completed session became %s", got)
	}
}

func TestCompletionRequestsARefreshInTheSameTransaction(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	u.complete(1, pgtest.CheckoutOne)
	if got := u.Text(`select wanted || ' ' || done || ' ' || priority from walletsync.refreshes where id = $1`, pgtest.PermissionOne); got != "1 0 10" {
		t.Error(got)
	}
}

func TestCancelFailsASessionWithoutAnotherOutcome(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	for range 2 {
		if got, err := u.Cancel(t.Context(), pgtest.SessionID(1), session.ReasonCancelled); got != session.Failed || err != nil {
			t.Error(got, err)
		}
	}
	u.StartSession(2)
	u.complete(2, pgtest.CheckoutOne)
	if got, err := u.Cancel(t.Context(), pgtest.SessionID(2), session.ReasonCancelled); got != session.Completed || err != nil {
		t.Error(got, err)
	}
	u.StartSession(3)
	u.begin(3, pgtest.CheckoutTwo, pgtest.Token(1))
	if got, err := u.Cancel(t.Context(), pgtest.SessionID(3), session.ReasonCancelled); got != session.Returned || err != nil {
		t.Error(got, err)
	}
}

func TestChangesAreShownOnce(t *testing.T) {
	u := newUpdates(t)
	u.permission("Chargeable", "Oldtown")
	u.change("shipping_address", `{"city":"Oldtown"}`)
	u.Now = u.Now.Add(time.Minute)
	u.StartSession(1)
	u.Now = u.Now.Add(time.Minute)
	a := u.complete(1, pgtest.CheckoutOne)
	show := func() session.Shown {
		t.Helper()
		s, err := u.Show(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if d := cmp.Diff(session.Shown{}, show()); d != "" {
		t.Errorf("before anything is stored: %s", d)
	}
	u.Now = u.Now.Add(time.Second)
	u.change("shipping_address", `{"city":"Midtown"}`)
	u.change("shipping_address", `{"city":"Newtown"}`)
	u.change("state", `{"state":"Chargeable"}`)
	want := session.Shown{Any: true, New: []wallet.Change{{Facet: wallet.FacetShippingAddress, After: []byte(`{"city": "Newtown"}`)}}}
	if d := cmp.Diff(want, show()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(session.Shown{Any: true}, show()); d != "" {
		t.Errorf("on reload: %s", d)
	}
	// A second tab of the same session has changed nothing yet.
	u.Now = u.Now.Add(time.Second)
	a = u.complete(1, pgtest.CheckoutTwo)
	if d := cmp.Diff(session.Shown{}, show()); d != "" {
		t.Errorf("the second tab shows the first one's change: %s", d)
	}
}

func TestChangeThatTheNotificationBroughtFirstIsShown(t *testing.T) {
	u := newUpdates(t)
	u.permission("Chargeable", "Oldtown")
	u.StartSession(1)
	u.Now = u.Now.Add(time.Minute)
	u.change("payment_method", `{"payment_descriptors":["Visa ****2222 (Amazon Pay)"]}`)
	u.Now = u.Now.Add(time.Second)
	got, err := u.Show(t.Context(), u.complete(1, pgtest.CheckoutOne))
	if err != nil || !got.Any || len(got.New) != 1 || got.New[0].Facet != wallet.FacetPaymentMethod {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLaterReadSettlesACompletion(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	a := u.complete(1, pgtest.CheckoutOne)
	settled := func() bool {
		t.Helper()
		s, err := u.Show(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		return s.Settled
	}
	set := func(readAt time.Time, done int) {
		u.Exec(`update walletsync.refreshes set wanted = 1, done = $2, read_at = $3 where id = $1`, pgtest.PermissionOne, done, readAt)
	}
	set(u.Now.Add(-time.Second), 1)
	if settled() {
		t.Error("by a read before it")
	}
	set(u.Now, 0)
	if settled() {
		t.Error("while a read is wanted")
	}
	set(u.Now, 1)
	if !settled() {
		t.Error("not by a read after it")
	}
}

func TestTokensRefillAndPause(t *testing.T) {
	u := newUpdates(t)
	u.Exec(`update walletsync.api_quota set burst = 2, per_second = 0.5, tokens = 2, refilled_at = $1 where account = 'main' and call = 'complete_checkout_session'`, u.Now)
	take := func() (bool, time.Duration) {
		t.Helper()
		ok, wait, err := u.Take(t.Context(), "main", wallet.CompleteCheckoutSession)
		if err != nil {
			t.Fatal(err)
		}
		return ok, wait
	}
	for range 2 {
		if ok, _ := take(); !ok {
			t.Fatal("a full bucket has no token")
		}
	}
	if ok, wait := take(); ok || wait != 2*time.Second {
		t.Error(ok, wait)
	}
	u.Now = u.Now.Add(2 * time.Second)
	if ok, _ := take(); !ok {
		t.Error("none came back")
	}
	u.Now = u.Now.Add(time.Minute)
	if err := u.Rest(t.Context(), "main", wallet.CompleteCheckoutSession, 30*time.Second, "throttled"); err != nil {
		t.Fatal(err)
	}
	if ok, wait := take(); ok || wait != 30*time.Second {
		t.Error("closed:", ok, wait)
	}
	u.Now = u.Now.Add(30 * time.Second)
	if ok, _ := take(); !ok {
		t.Error("it stays closed")
	}
	if _, _, err := u.Take(t.Context(), "unknown", wallet.CompleteCheckoutSession); err == nil {
		t.Error("an unknown account has tokens")
	}
}

func TestUnusedTokenIsReturned(t *testing.T) {
	u := newUpdates(t)
	u.Exec(`update walletsync.api_quota set burst = 1, per_second = 0.001, tokens = 1, refilled_at = $1 where account = 'main' and call = 'complete_checkout_session'`, u.Now)
	for range 2 {
		if ok, _, err := u.Take(t.Context(), "main", wallet.CompleteCheckoutSession); !ok || err != nil {
			t.Fatalf("no token: %v", err)
		}
		if err := u.Return(t.Context(), "main", wallet.CompleteCheckoutSession, wallet.OwnPause, "no key"); err != nil {
			t.Fatal(err)
		}
		if ok, wait, err := u.Take(t.Context(), "main", wallet.CompleteCheckoutSession); ok || wait != wallet.OwnPause || err != nil {
			t.Errorf("calls do not pause: %v, %v", wait, err)
		}
		u.Now = u.Now.Add(wallet.OwnPause)
	}
}

// Completions pause after several different Checkout Sessions in a row are refused. An
// answer resets the count.
func TestSeveralRefusedCheckoutSessionsPauseTheirCalls(t *testing.T) {
	u := newUpdates(t)
	u.Exec(`update walletsync.api_quota set refilled_at = $1`, u.Now)
	of := u.StartSession(1)
	refuse := func(checkout string, want bool) {
		t.Helper()
		if paused, err := u.Refused(t.Context(), "main", wallet.CompleteCheckoutSession, checkout); err != nil || paused != want {
			t.Errorf("%s: paused %v, %v", checkout, paused, err)
		}
		ok, wait, err := u.Take(t.Context(), "main", wallet.CompleteCheckoutSession)
		if err != nil || ok == want || want && wait != wallet.RefusedPause {
			t.Errorf("%s: a token %v, in %v, %v", checkout, ok, wait, err)
		}
	}
	refuse("a", false)
	refuse("b", false)
	refuse("a", false)
	b, err := u.Begin(t.Context(), of.ID, "checkout", session.Lease{1}, time.Minute)
	if err != nil || !b.Ours {
		t.Fatal(b.Ours, err)
	}
	if _, err := u.Settle(t.Context(), session.Settlement{Attempt: b.Attempt, Lease: session.Lease{1}, Error: "open",
		Answered: []wallet.Call{wallet.CompleteCheckoutSession}}); err != nil {
		t.Fatal(err)
	}
	refuse("c", false)
	refuse("d", false)
	refuse("e", true)
	if ok, _, err := u.Take(t.Context(), "main", wallet.GetCheckoutSession); !ok || err != nil {
		t.Errorf("another call pauses too: %v", err)
	}
}

func TestTokensAreTakenOnce(t *testing.T) {
	u := newUpdates(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	given := 0
	for range 60 {
		wg.Go(func() {
			ok, _, err := u.Take(t.Context(), "main", wallet.CompleteCheckoutSession)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if ok {
				given++
			}
		})
	}
	wg.Wait()
	if given != 20 {
		t.Errorf("%d of a burst of 20", given)
	}
}

func TestOpenReturnsAttemptsWhenTheyAreDue(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	openNow := func() int {
		t.Helper()
		got, err := u.Open(t.Context(), "main", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	a := u.begin(1, pgtest.CheckoutOne, pgtest.Token(1)).Attempt
	if n := openNow(); n != 0 {
		t.Errorf("%d while it is leased", n)
	}
	u.settle(session.Settlement{Attempt: a, Lease: pgtest.Token(1), Again: time.Minute})
	if n := openNow(); n != 0 {
		t.Errorf("%d before its time", n)
	}
	u.Now = u.Now.Add(time.Minute)
	if n := openNow(); n != 1 {
		t.Errorf("%d when its time has come", n)
	}
	if b := u.begin(1, pgtest.CheckoutOne, pgtest.Token(2)); b.Attempt.Overdue {
		t.Error("overdue after a minute")
	}
	u.Now = u.Now.Add(25 * time.Hour)
	if b := u.begin(1, pgtest.CheckoutOne, pgtest.Token(3)); !b.Attempt.Overdue {
		t.Error("not overdue after a day and an hour")
	}
}

func TestSessionWithoutAReturnExpiresAndIsRead(t *testing.T) {
	u := newUpdates(t)
	s := u.StartSession(1)
	left := func() []session.Left {
		t.Helper()
		got, err := u.Left(t.Context(), "main", 10)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := left(); len(got) != 0 {
		t.Errorf("before its end: %+v", got)
	}
	u.Now = s.ExpiresAt
	got := left()
	if d := cmp.Diff([]session.Left{{Session: pgtest.SessionID(1), Account: "main", ChargePermission: pgtest.PermissionOne, Expired: true}}, got); d != "" {
		t.Fatal(d)
	}
	if err := u.WantLeft(t.Context(), got[0]); err != nil {
		t.Fatal(err)
	}
	if got := u.state(1); got != "expired" {
		t.Error(got)
	}
	if got := u.Text(`select wanted || ' ' || priority from walletsync.refreshes`); got != "1 60" {
		t.Error(got)
	}
	if got := left(); len(got) != 0 {
		t.Errorf("again: %+v", got)
	}
	// A later return of the buyer is refused.
	if b := u.begin(1, pgtest.CheckoutOne, pgtest.Token(1)); b.Ours || !b.Refused {
		t.Errorf("%+v", b)
	}
}

func TestCompletionWithoutALaterReadIsDue(t *testing.T) {
	u := newUpdates(t)
	u.StartSession(1)
	a := u.complete(1, pgtest.CheckoutOne)
	a.CompletedAt = u.Now
	left := func() int {
		t.Helper()
		got, err := u.Left(t.Context(), "main", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	if n := left(); n != 0 {
		t.Errorf("%d while a read is wanted", n)
	}
	u.Exec(`update walletsync.refreshes set done = wanted, read_at = $1`, u.Now.Add(-time.Second))
	if n := left(); n != 1 {
		t.Errorf("%d with a read from before", n)
	}
	if err := u.WantLeft(t.Context(), session.Left{Session: a.Session, Account: "main", ChargePermission: pgtest.PermissionOne, CompletedAt: u.Now}); err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 0 {
		t.Errorf("%d when wanted again", n)
	}
	u.Exec(`update walletsync.refreshes set done = wanted, read_at = $1`, u.Now)
	if n := left(); n != 0 {
		t.Errorf("%d with a read since", n)
	}
}

func TestLaterChangeIsStored(t *testing.T) {
	u := newUpdates(t)
	u.permission("Chargeable", "Oldtown")
	u.StartSession(1)
	u.complete(1, pgtest.CheckoutOne)
	u.Now = u.Now.Add(time.Minute)
	u.change("payment_method", `{"payment_descriptors":["Visa ****2222 (Amazon Pay)"]}`)
	if err := u.NoteStored(t.Context(), "main"); err != nil {
		t.Fatal(err)
	}
	if got := u.Text(`select stored_at - ended_at from walletsync.update_attempts`); got != "00:01:00" {
		t.Error(got)
	}
}

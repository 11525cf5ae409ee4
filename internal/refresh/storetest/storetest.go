package storetest

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"walletsync/internal/reconcile"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// Store is all that is decided in the store: the refresh's two round trips, the
// reconciler's duties, erasure, what an import marks, and announcements.
type Store interface {
	refresh.Store
	Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, cause wallet.Cause) error
	reconcile.SweepStore
	reconcile.WakeStore
	refresh.ImportStore
	// Announce makes distinct ids, in key order, known, and requests those that
	// were never read.
	Announce(context.Context, wallet.AccountID, []wallet.ChargePermissionID) ([]wallet.Announcement, []refresh.Wake, error)
}

// Subject is a store to be compared with the model.
type Subject struct {
	Store Store
	// Snapshot returns the store's whole state.
	Snapshot func(context.Context) (State, error)
	// Follow changes what an account follows, as the migrator does.
	Follow func(context.Context, wallet.AccountID, wallet.Followed) error
	// Completed has a buyer return from an update, and it be completed; at is by
	// Amazon's clock, as of a Want.
	Completed func(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, at time.Time) error
}

// Accounts are those that a subject must know, with full buckets.
func Accounts() []Account {
	quota := wallet.Quota{Call: wallet.GetChargePermission, Burst: 4, PerSecond: 0.5}
	return []Account{
		{ID: "main", Follow: wallet.DefaultFollowed(), Quota: quota},
		{ID: "known", Follow: wallet.Followed{Types: []string{"PaymentMethodOnFile"}, KnownOnly: true}, Quota: quota},
	}
}

// Clock is a clock that the test moves.
type Clock struct{ t time.Time }

// NewClock returns a clock at a moment that floats and microseconds hold exactly.
func NewClock() *Clock { return &Clock{time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)} }

// Now returns the time.
func (c *Clock) Now() time.Time { return c.t }

// Advance moves it on.
func (c *Clock) Advance(d time.Duration) { c.t = c.t.Add(d) }

// Run makes random calls of the subject and of the model and wants the same
// answers and the same state after each. Fresh returns an empty subject whose
// clock is the given one.
func Run(t *testing.T, fresh func(testing.TB, *Clock) Subject) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := NewClock()
		subject := fresh(t, clock)
		w := &world{
			clock: clock, subject: subject, model: NewModel(clock.Now, Accounts()...),
			settings: refresh.Settings{Margin: 5 * time.Second, Lease: 35 * time.Second, Limit: 3, Timeout: time.Second, Pause: time.Minute},
			leased:   map[refresh.Lease][]refresh.Claim{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"wait":     w.wait,
			"claim":    w.claim,
			"now":      w.now,
			"commit":   w.commit,
			"sweep":    w.sweep,
			"erase":    w.erase,
			"update":   w.update,
			"wake":     w.wake,
			"import":   w.imports,
			"announce": w.announce,
			"":         w.check,
		})
	})
}

// world is one run: two stores, and what a worker would remember.
type world struct {
	clock    *Clock
	subject  Subject
	model    *Model
	settings refresh.Settings
	leases   []refresh.Lease
	leased   map[refresh.Lease][]refresh.Claim
	wakes    []wallet.Wake
	messages int
}

func (w *world) wait(rt *rapid.T) {
	// Quarters of a second are exact in floats and in microseconds.
	w.clock.Advance(time.Duration(rapid.IntRange(1, 8).Draw(rt, "quarters")) * 250 * time.Millisecond)
	if rapid.IntRange(0, 5).Draw(rt, "long") == 0 {
		w.clock.Advance(20 * time.Second)
	}
}

var ids = []wallet.ChargePermissionID{
	"S01-0000000-0000001", "S01-0000000-0000002", "S01-0000000-0000003", "S01-0000000-0000004", "S01-0000000-0000005",
}

func (w *world) claim(rt *rapid.T) {
	var asks []refresh.Ask
	for range rapid.IntRange(0, 6).Draw(rt, "notifications") {
		id := w.messages
		if w.messages > 0 && rapid.IntRange(0, 4).Draw(rt, "again") == 0 {
			id = rapid.IntRange(0, w.messages-1).Draw(rt, "which")
		} else {
			w.messages++
		}
		a := refresh.Ask{Notification: wallet.Notification{
			Account: rapid.SampledFrom([]wallet.AccountID{"main", "main", "known"}).Draw(rt, "account"), MessageID: fmt.Sprintf("m%03d", id), NotificationID: "n", ObjectType: wallet.ObjectChargePermission,
			ObjectID: "o", ChargePermission: rapid.SampledFrom(append(slices.Clone(ids), "")).Draw(rt, "id"), Type: "STATE_CHANGE",
			Published: w.clock.Now().Add(-time.Duration(rapid.IntRange(0, 40).Draw(rt, "age")) * 250 * time.Millisecond), Arrived: w.clock.Now(),
		}, Priority: wallet.PriorityNotification}
		if rapid.IntRange(0, 3).Draw(rt, "charge") == 0 {
			a.Priority, a.Delay = wallet.PriorityOther, w.settings.ConfirmAfter()
			a.Inferred = a.ChargePermission != "" && rapid.Bool().Draw(rt, "inferred")
		}
		if !slices.ContainsFunc(asks, func(b refresh.Ask) bool { return b.MessageID == a.MessageID }) {
			asks = append(asks, a)
		}
	}
	w.claimed(rt, refresh.ClaimRequest{
		Asks: asks, Accounts: []wallet.AccountID{"known", "main"}, Woken: w.woken(rt),
		Force: rapid.IntRange(0, 4).Draw(rt, "force") == 0,
	})
}

// now is the first trip of refresh.Now.
func (w *world) now(rt *rapid.T) {
	want := wallet.Want{
		Account:          rapid.SampledFrom([]wallet.AccountID{"main", "main", "known"}).Draw(rt, "account"),
		ChargePermission: rapid.SampledFrom(ids).Draw(rt, "id"),
		Priority:         rapid.SampledFrom([]wallet.Priority{wallet.PriorityReturn, wallet.PriorityRefresh, wallet.PrioritySweep}).Draw(rt, "priority"),
	}
	if rapid.IntRange(0, 2).Draw(rt, "of a moment") > 0 {
		want.At = w.clock.Now().Add(time.Duration(rapid.IntRange(-40, 4).Draw(rt, "moment")) * 250 * time.Millisecond)
	}
	w.claimed(rt, refresh.ClaimRequest{Want: &want, Accounts: []wallet.AccountID{want.Account}})
}

// claimed makes the first trip.
func (w *world) claimed(rt *rapid.T, q refresh.ClaimRequest) {
	binary.BigEndian.PutUint64(q.Lease[8:], uint64(len(w.leases)+1))
	if len(w.leases) > 0 && rapid.IntRange(0, 9).Draw(rt, "repeat") == 0 {
		q.Lease = w.leases[len(w.leases)-1] // as after an unknown outcome
	} else {
		w.leases = append(w.leases, q.Lease)
	}
	q.Settings = w.settings
	want, err := w.model.Claim(context.Background(), q)
	no(rt, err)
	got, err := w.subject.Store.Claim(context.Background(), q)
	no(rt, err)
	same(rt, "claimed", normal(want), normal(got))
	w.leased[q.Lease] = want.Claims
	w.sent(want.Wakes)
}

func normal(c refresh.Claimed) refresh.Claimed {
	c.Outcomes = map[string]int{"duplicate": c.Outcomes["duplicate"], "wanted": c.Outcomes["wanted"], "covered": c.Outcomes["covered"],
		"confirming": c.Outcomes["confirming"], "not_followed": c.Outcomes["not_followed"], "unknown": c.Outcomes["unknown"], "recorded": c.Outcomes["recorded"], "unmatched": c.Outcomes["unmatched"]}
	for i := range c.Claims {
		slices.Sort(c.Claims[i].Recent)
	}
	return c
}

// woken draws some of the wake-ups under way.
func (w *world) woken(rt *rapid.T) (out []wallet.Wake) {
	for _, k := range w.wakes {
		if rapid.Bool().Draw(rt, "delivered") {
			out = append(out, k)
		}
	}
	return out
}

func (w *world) sent(wakes []refresh.Wake) {
	for _, k := range wakes {
		w.wakes = append(w.wakes, wallet.Wake{Account: k.Account, At: k.At})
	}
	w.wakes = w.wakes[max(0, len(w.wakes)-4):]
}

// sweep is the reconciler's duty to what has gone unread.
func (w *world) sweep(rt *rapid.T) {
	account := rapid.SampledFrom([]wallet.AccountID{"main", "known"}).Draw(rt, "account")
	unread := time.Duration(rapid.IntRange(0, 120).Draw(rt, "unread")) * 250 * time.Millisecond
	limit := rapid.IntRange(1, 3).Draw(rt, "limit")
	want, err := w.model.Sweepable(context.Background(), account)
	no(rt, err)
	got, err := w.subject.Store.Sweepable(context.Background(), account)
	no(rt, err)
	same(rt, "sweepable", want, got)
	marked, err := w.model.MarkUnread(context.Background(), account, unread, limit)
	no(rt, err)
	n, err := w.subject.Store.MarkUnread(context.Background(), account, unread, limit)
	no(rt, err)
	same(rt, "marked", marked, n)
}

// erase erases one or two, known or not.
func (w *world) erase(rt *rapid.T) {
	if rapid.IntRange(0, 2).Draw(rt, "seldom") > 0 {
		rt.Skip("most runs are about what is not erased")
	}
	account := rapid.SampledFrom([]wallet.AccountID{"main", "main", "known"}).Draw(rt, "account")
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 2, rapid.ID[wallet.ChargePermissionID]).Draw(rt, "ids")
	cause := rapid.SampledFrom([]wallet.Cause{wallet.CauseErasure, wallet.CauseRetention}).Draw(rt, "cause")
	no(rt, w.model.Erase(context.Background(), account, some, cause))
	no(rt, w.subject.Store.Erase(context.Background(), account, some, cause))
}

// update is one that a buyer completes.
func (w *world) update(rt *rapid.T) {
	account := rapid.SampledFrom([]wallet.AccountID{"main", "main", "known"}).Draw(rt, "account")
	id := rapid.SampledFrom(ids).Draw(rt, "id")
	var at time.Time
	if rapid.IntRange(0, 2).Draw(rt, "of a moment") > 0 {
		at = w.clock.Now().Add(time.Duration(rapid.IntRange(-40, 4).Draw(rt, "moment")) * 250 * time.Millisecond)
	}
	w.model.Completed(account, id, at)
	no(rt, w.subject.Completed(context.Background(), account, id, at))
}

// wake is the reconciler's duty to lost wake-ups.
func (w *world) wake(rt *rapid.T) {
	account := rapid.SampledFrom([]wallet.AccountID{"main", "known"}).Draw(rt, "account")
	backlog, wakes, err := w.model.Backlog(context.Background(), account)
	no(rt, err)
	b, k, err := w.subject.Store.Backlog(context.Background(), account)
	no(rt, err)
	same(rt, "backlog", backlog, b)
	same(rt, "wakes", wakes, k)
	w.sent(wakes)
}

// announce is an announcement of some ids, known or not.
func (w *world) announce(rt *rapid.T) {
	account := rapid.SampledFrom([]wallet.AccountID{"main", "known"}).Draw(rt, "account")
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, len(ids), rapid.ID).Draw(rt, "ids")
	slices.Sort(some)
	announced, wakes, err := w.model.Announce(context.Background(), account, some)
	no(rt, err)
	a, k, err := w.subject.Store.Announce(context.Background(), account, some)
	no(rt, err)
	same(rt, "announced", announced, a)
	same(rt, "wakes", wakes, k)
	w.sent(wakes)
}

// imports is an import of some ids, known or not.
func (w *world) imports(rt *rapid.T) {
	account := rapid.SampledFrom([]wallet.AccountID{"main", "known"}).Draw(rt, "account")
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, len(ids), rapid.ID).Draw(rt, "ids")
	slices.Sort(some)
	marked, err := w.model.Import(context.Background(), account, some)
	no(rt, err)
	n, err := w.subject.Store.Import(context.Background(), account, some)
	no(rt, err)
	same(rt, "imported", marked, n)
	want, err := w.model.Imported(context.Background(), account, ids)
	no(rt, err)
	got, err := w.subject.Store.Imported(context.Background(), account, ids)
	no(rt, err)
	same(rt, "what has become of them", want, got)
}

func (w *world) commit(rt *rapid.T) {
	if len(w.leases) == 0 {
		rt.Skip("nothing claimed")
	}
	lease := rapid.SampledFrom(w.leases).Draw(rt, "lease")
	var results []refresh.Result
	for _, c := range w.leased[lease] {
		results = append(results, w.result(rt, c))
	}
	var closings []refresh.Closing
	if rapid.IntRange(0, 6).Draw(rt, "throttled") == 0 {
		closings = append(closings, refresh.Closing{Account: "main", Why: "test",
			For: time.Duration(rapid.IntRange(0, 3).Draw(rt, "for")) * time.Second})
	}
	var refusals []refresh.Refusals
	for _, a := range []wallet.AccountID{"known", "main"} {
		if rapid.IntRange(0, 2).Draw(rt, "refusals") > 0 {
			continue
		}
		refused := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "B", "c", "d"}), 0, 3, rapid.ID[string]).Draw(rt, "refused ids")
		slices.Sort(refused)
		refusals = append(refusals, refresh.Refusals{Account: a, IDs: refused, Answered: len(refused) == 0 || rapid.IntRange(0, 3).Draw(rt, "answered") == 0})
	}
	q := refresh.CommitRequest{
		Lease: lease, Results: results, Closings: closings, Refusals: refusals, Accounts: []wallet.AccountID{"known", "main"}, Woken: w.woken(rt),
		Force: rapid.IntRange(0, 4).Draw(rt, "force") == 0, Settings: w.settings,
	}
	want, err := w.model.Commit(context.Background(), q)
	no(rt, err)
	got, err := w.subject.Store.Commit(context.Background(), q)
	no(rt, err)
	bySettled := func(a, b refresh.Settled) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.ID, b.ID))
	}
	slices.SortFunc(got.Settled, bySettled)
	slices.SortFunc(want.Settled, bySettled)
	same(rt, "committed", want, got)
	w.sent(want.Wakes)
}

func (w *world) result(rt *rapid.T, c refresh.Claim) refresh.Result {
	r := refresh.Result{Claim: c, RequestID: "request"}
	if rapid.IntRange(0, 5).Draw(rt, "no date") > 0 {
		r.ReadAt = w.clock.Now().Add(-time.Duration(rapid.IntRange(0, 12).Draw(rt, "read ago")) * 500 * time.Millisecond)
	}
	switch rapid.IntRange(0, 12).Draw(rt, "outcome") {
	case 0:
		r.Kind, r.Error, r.Backoff = refresh.Failed, "it failed", 4*time.Second
	case 1:
		r.Kind, r.Error = refresh.Left, "not now"
	case 2:
		r.Kind, r.Error = refresh.Gone, "not found"
	case 3:
		r.Kind = refresh.NotFollowed
		r.State = wallet.ChargePermission{ID: c.ID, Type: "OneTime"}
	case 4:
		r.Kind, r.Error, r.ReadAt = refresh.NotCalled, "no key", time.Time{}
	case 5:
		r.Kind, r.Error = refresh.Deferred, "key refused"
	default:
		r.Kind = refresh.Read
		r.State = wallet.ChargePermission{ID: c.ID, Type: rapid.SampledFrom([]string{"PaymentMethodOnFile", "PaymentMethodOnFile", ""}).Draw(rt, "type"),
			State: wallet.State{StateUpdatedAt: w.clock.Now(),
				State: rapid.SampledFrom([]string{wallet.Chargeable, wallet.Chargeable, "", wallet.Closed}).Draw(rt, "state")},
			Shipping:           wallet.Address{City: rapid.SampledFrom([]string{"", "Exampleton", "東京"}).Draw(rt, "city")},
			PaymentDescriptors: []string{}, Limits: wallet.Limits{LimitAmount: "500.00", BalanceAmount: "1.50", LimitCurrency: "EUR"},
		}
		if rapid.IntRange(0, 3).Draw(rt, "card sent") > 0 {
			r.State.PaymentDescriptors = []string{rapid.SampledFrom([]string{"Visa", "\"Master\""}).Draw(rt, "card")}
		}
		r.Raw = []byte(`{"chargePermissionId":"x"}`)
		if c.Erased {
			r.State, r.Raw = r.State.WithoutPerson(), nil
		}
		r.Changes = wallet.Diff(c.Stored, &r.State)
		r.ContradictsRecent = rapid.IntRange(0, 5).Draw(rt, "contradicts what is recent") == 0
		if rapid.IntRange(0, 5).Draw(rt, "unreadable") == 0 {
			r.Error = "a member could not be read"
		}
	}
	return r
}

// check compares everything that the two stores know.
func (w *world) check(rt *rapid.T) {
	got, err := w.subject.Snapshot(context.Background())
	no(rt, err)
	same(rt, "state", w.model.Snapshot(), got)
}

func no(rt *rapid.T, err error) {
	if err != nil {
		rt.Fatal(err)
	}
}

func same(rt *rapid.T, what string, model, subject any) {
	opts := gocmp.Options{
		gocmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		gocmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }),
		cmpopts.EquateEmpty(),
	}
	if d := gocmp.Diff(model, subject, opts); d != "" {
		rt.Fatalf("%s: the model (-) and the store (+) differ:\n%s", what, d)
	}
}

package postgres_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/amazonpay"
	"walletsync/internal/local/fault/wire"
	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// amazon answers every charge permission alike.
type amazon struct{ calls chan string }

func (a amazon) GetChargePermission(_ context.Context, id string) (*amazonpay.ChargePermission, error) {
	a.calls <- id
	body := fmt.Sprintf(`{"chargePermissionId":%q,"chargePermissionType":"PaymentMethodOnFile","statusDetails":{"state":"Chargeable"}}`, id)
	got := &amazonpay.ChargePermission{Raw: json.RawMessage(body)}
	err := json.Unmarshal([]byte(body), got)
	got.Response.Date = time.Now().Truncate(time.Second)
	return got, err
}

// waker counts the wake-ups sent.
type waker struct{ sent int }

func (w *waker) Wake(context.Context, wallet.AccountID, time.Time, time.Duration) error {
	w.sent++
	return nil
}

func runner(store refresh.Store, api refresh.API) *refresh.Runner {
	return &refresh.Runner{
		Store: store, Waker: &waker{}, Settings: refresh.Defaults(), Jitter: func() float64 { return 0 },
		API:      func(context.Context, wallet.AccountID) (refresh.API, error) { return api, nil },
		Follow:   func(wallet.AccountID) wallet.Followed { return wallet.DefaultFollowed() },
		NewLease: uuid.New,
	}
}

// batch is n notifications of n charge permissions, or of one.
func batch(first, n int, age time.Duration, one bool) (b wallet.Batch) {
	for i := range n {
		id := wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", first+i))
		if one {
			id = wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", first))
		}
		b.Notifications = append(b.Notifications, wallet.Notification{
			Account: "main", MessageID: fmt.Sprintf("m%d", first+i), NotificationID: "n", ObjectType: wallet.ObjectChargePermission,
			ObjectID: string(id), ChargePermission: id, Type: "STATE_CHANGE", Published: time.Now().Add(-age), Arrived: time.Now()})
	}
	return b
}

// TestABatchIsTwoRoundTripsOnTheWire counts where the worker's connection ends:
// at the server, or at a pooler in transaction mode.
func TestABatchIsTwoRoundTripsOnTheWire(t *testing.T) {
	for _, way := range pgtest.Ways {
		t.Run(way.Name, func(t *testing.T) { twoRoundTrips(t, way.To(t, pgtest.Database(t))) })
	}
}

func twoRoundTrips(t *testing.T, url string) {
	proxy, err := wire.Listen(url)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	if _, err := pgtest.Connect(t, url).Exec(t.Context(), `update walletsync.api_quota set burst = 1000, tokens = 1000`); err != nil {
		t.Fatal(err)
	}
	store := pgtest.Open(t, proxy.URL(), pg.Options{})
	a := amazon{make(chan string, 1000)}
	r := runner(store, a)
	trips := func(do func() error) int64 {
		t.Helper()
		before := proxy.Stats().RoundTrips
		if err := do(); err != nil {
			t.Fatal(err)
		}
		return proxy.Stats().RoundTrips - before
	}
	refreshed := func(b wallet.Batch) int64 {
		t.Helper()
		return trips(func() error {
			again, err := r.Refresh(t.Context(), b)
			if again {
				t.Error("one comes again")
			}
			return err
		})
	}
	refreshed(batch(1, 1, time.Minute, false)) // opens the connection
	now := trips(func() error {
		out, err := r.Now(t.Context(), wallet.Want{Account: "main", ChargePermission: "S01-0000000-0000001", Priority: wallet.PriorityReturn, At: time.Now()})
		if !out.Settled {
			t.Errorf("now: %+v", out)
		}
		return err
	})
	if now != 2 {
		t.Errorf("now: %d round trips", now)
	}
	for i, n := range []int{1, 10, 100, 1000} {
		called := len(a.calls)
		if got := refreshed(batch(10000*(i+1), n, time.Minute, false)); got != 2 {
			t.Errorf("%d messages: %d round trips", n, got)
		}
		if len(a.calls) == called {
			t.Errorf("%d messages: nothing was fetched, so two round trips prove nothing", n)
		}
	}
	wake := trips(func() error { _, _, err := store.Backlog(t.Context(), "main"); return err })
	if wake != 1 {
		t.Errorf("the reconciler's wake-up: %d round trips", wake)
	}
	if got := proxy.Stats().Connections; got != 1 {
		t.Errorf("%d connections", got)
	}
}

// All writers lock in one order, so there is no deadlock, which would be an error.
func TestWritersOfTheSameRowsDoNotDeadlock(t *testing.T) {
	for _, way := range pgtest.Ways {
		t.Run(way.Name, func(t *testing.T) {
			url := pgtest.Database(t)
			db := pgtest.Connect(t, url)
			if _, err := db.Exec(t.Context(), `update walletsync.api_quota set burst = 1000, tokens = 1000, per_second = 1000`); err != nil {
				t.Fatal(err)
			}
			store := pgtest.Open(t, way.To(t, url), pg.Options{Connections: 8})
			r := runner(store, amazon{make(chan string, 10000)})
			const permissions = 12
			one := func(n int) wallet.ChargePermissionID {
				return wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", n%permissions))
			}
			ctx := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel).WithContext(t.Context()) // a refused commit is logged, and comes again
			var g errgroup.Group
			for worker := range 8 {
				g.Go(func() error {
					for i := range 15 {
						b := batch(1000*worker+permissions*i, permissions, time.Minute, false)
						for j := range b.Notifications { // each in an order of its own
							b.Notifications[j].ChargePermission = one(j*5 + worker + i)
						}
						if again, err := r.Refresh(ctx, b); again || err != nil {
							return errors.Join(errors.New("a batch comes again"), err)
						}
						if _, err := r.Now(ctx, wallet.Want{Account: "main", ChargePermission: one(worker + i), Priority: wallet.PriorityReturn, At: time.Now()}); err != nil {
							return err
						}
						if _, err := store.MarkUnread(t.Context(), "main", 0, permissions); err != nil {
							return err
						}
						if _, _, err := store.Backlog(t.Context(), "main"); err != nil {
							return err
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			var stored, doubled, leased int
			if err := db.QueryRow(t.Context(), `select (select count(*) from walletsync.charge_permissions),
				(select count(*) - count(distinct charge_permission) from walletsync.charge_permission_changes),
				(select count(*) from walletsync.refreshes where lease is not null)`).Scan(&stored, &doubled, &leased); err != nil {
				t.Fatal(err)
			}
			if stored != permissions || doubled != 0 || leased != 0 {
				t.Errorf("%d stored, %d change rows doubled, %d leases left", stored, doubled, leased)
			}
		})
	}
}

func TestAHundredNotificationsOfOneAreOneCall(t *testing.T) {
	a := amazon{make(chan string, 1000)}
	r := runner(pgtest.Open(t, pgtest.Database(t), pg.Options{}), a)
	age := refresh.Defaults().ConfirmAfter()
	for i := range 10 {
		b := batch(1, 100, age, true)
		b.Notifications = b.Notifications[i*10 : i*10+10]
		if again, err := r.Refresh(t.Context(), b); again || err != nil {
			t.Fatal(again, err)
		}
	}
	if n := len(a.calls); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestAnAnswerLostAtCommitIsMadeGood(t *testing.T) {
	for _, way := range pgtest.Ways {
		t.Run(way.Name, func(t *testing.T) {
			front := way.To(t, pgtest.Database(t)) // the pooler leads to any database of the server
			for _, at := range []wire.Point{wire.Requested, wire.Answered} {
				for _, trip := range []string{"walletsync trip 1", "walletsync trip 2"} {
					for _, asked := range []string{"by a batch", "at once"} {
						t.Run(fmt.Sprintf("%v of %s %s", at, trip, asked), func(t *testing.T) {
							lostAnswer(t, pgtest.Through(t, front, pgtest.Database(t)), at, trip, asked == "at once")
						})
					}
				}
			}
		})
	}
}

func lostAnswer(t *testing.T, url string, at wire.Point, trip string, now bool) {
	proxy, err := wire.Listen(url)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	r := runner(pgtest.Open(t, proxy.URL(), pg.Options{}), amazon{make(chan string, 10)})
	proxy.On(at, wire.SQL(trip), wire.DoNth(1, wire.Cut))
	if now {
		out, err := r.Now(t.Context(), wallet.Want{Account: "main", ChargePermission: "S01-0000000-0000001", Priority: wallet.PriorityReturn, At: time.Now().Add(-time.Minute)})
		if err != nil {
			t.Fatal(out, err)
		}
	} else if again, err := r.Refresh(t.Context(), batch(1, 1, time.Minute, false)); again || err != nil {
		t.Fatal(again, err)
	}
	db := pgtest.Connect(t, url)
	defer db.Close()
	var rows, changes, open int
	if err := db.QueryRow(t.Context(), `select (select count(*) from walletsync.charge_permissions),
		(select count(*) from walletsync.charge_permission_changes),
		(select count(*) from walletsync.refreshes where wanted > done or lease is not null)`).Scan(&rows, &changes, &open); err != nil {
		t.Fatal(err)
	}
	if rows != 1 || changes != 1 || open != 0 {
		t.Errorf("%d rows, %d changes, %d open", rows, changes, open)
	}
}

// TestATripWhoseAnswerWasLostClaimsNoMore: it was committed, and is made again.
func TestATripWhoseAnswerWasLostClaimsNoMore(t *testing.T) {
	for _, c := range []struct {
		name   string
		want   *wallet.Want
		claims int
	}{
		{"by a batch", nil, 3},
		{"at once", &wallet.Want{Account: "main", ChargePermission: "S01-0000000-0000099", Priority: wallet.PriorityReturn}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy, err := wire.Listen(pgtest.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			defer proxy.Close()
			db := pgtest.Connect(t, proxy.URL())
			if _, err := db.Exec(t.Context(), `insert into walletsync.refreshes (account, id, wanted, since, priority)
				select 'main', 'S01-0000000-' || lpad(i::text, 7, '0'), 1, now(), 30 from generate_series(1, 10) i`); err != nil {
				t.Fatal(err)
			}
			settings := refresh.Defaults()
			settings.Limit = 3
			proxy.On(wire.Answered, wire.SQL("walletsync trip 1"), wire.DoNth(1, wire.Cut))
			got, err := pgtest.Open(t, proxy.URL(), pg.Options{}).Claim(t.Context(), refresh.ClaimRequest{
				Lease: refresh.Lease{1}, Accounts: []wallet.AccountID{"main"}, Want: c.want, Settings: settings})
			if err != nil || len(got.Claims) != c.claims || got.Covered {
				t.Errorf("%+v, %v", got, err)
			}
			var leased, taken, maxWanted int
			if err := db.QueryRow(t.Context(), `select (select count(*) from walletsync.refreshes where lease is not null),
				(select round(burst - tokens) from walletsync.api_quota where account = 'main' and call = 'get_charge_permission'),
				(select max(wanted) from walletsync.refreshes)`).Scan(&leased, &taken, &maxWanted); err != nil {
				t.Fatal(err)
			}
			if leased != c.claims || taken != c.claims || maxWanted != 1 {
				t.Errorf("%d leased, %d tokens taken, wanted %d times", leased, taken, maxWanted)
			}
		})
	}
}

// TestAWakeUpWhoseDecisionWasLostIsSentAllTheSame: the transaction that was
// committed, and whose answer was lost, has noted a wake-up as under way.
func TestAWakeUpWhoseDecisionWasLostIsSentAllTheSame(t *testing.T) {
	for _, c := range []struct {
		name, trip string
		tokens     float64
	}{
		{"no token: the first trip decides", "walletsync trip 1", 0},
		{"an early read: the second trip decides", "walletsync trip 2", 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy, err := wire.Listen(pgtest.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			defer proxy.Close()
			db := pgtest.Connect(t, proxy.URL())
			if _, err := db.Exec(t.Context(), `update walletsync.api_quota set tokens = $1, refilled_at = clock_timestamp(), per_second = 0.01`, c.tokens); err != nil {
				t.Fatal(err)
			}
			w := &waker{}
			r := runner(pgtest.Open(t, proxy.URL(), pg.Options{}), amazon{make(chan string, 10)})
			r.Waker = w
			proxy.On(wire.Answered, wire.SQL(c.trip), wire.DoNth(1, wire.Cut))
			if again, err := r.Refresh(t.Context(), batch(1, 1, 0, false)); again || err != nil {
				t.Fatal(again, err)
			}
			if w.sent != 1 {
				t.Errorf("%d wake-ups sent", w.sent)
			}
		})
	}
}

func TestWhatTheServerRefusesDoesNotHoldUpTheRest(t *testing.T) {
	long := make([]byte, 5000) // an index entry holds 2,704 bytes after compression (nbtree.h)
	_, _ = rand.Read(long)
	for name, c := range map[string]struct {
		poison func(*wallet.ChargePermission)
		code   string
	}{
		"a value that a column cannot hold": {func(p *wallet.ChargePermission) { p.LimitAmount = "Main Street 5" }, "22P02"},
		"a name too long for an index":      {func(p *wallet.ChargePermission) { p.BuyerName = hex.EncodeToString(long) }, "54000"},
	} {
		t.Run(name, func(t *testing.T) {
			url := pgtest.Database(t)
			store, db := pgtest.Open(t, url, pg.Options{}), pgtest.Connect(t, url)
			r := runner(store, amazon{make(chan string, 10)})
			r.Store = poisoned{store, c.poison}
			if again, err := r.Refresh(t.Context(), batch(1, 3, time.Minute, false)); again || err != nil {
				t.Fatal(again, err)
			}
			var stored, failing int
			var last string
			if err := db.QueryRow(t.Context(), `select (select count(*) from walletsync.charge_permissions), count(*), max(last_error)
				from walletsync.refreshes where attempts = 1`).Scan(&stored, &failing, &last); err != nil {
				t.Fatal(err)
			}
			if stored != 2 || failing != 1 {
				t.Errorf("%d stored, %d failing", stored, failing)
			}
			if !strings.HasPrefix(last, "the database refuses") || !strings.Contains(last, c.code) || strings.Contains(last, "Main Street") {
				t.Errorf("last error: %s", last)
			}
		})
	}
}

// What jsonb cannot hold is kept as a text, and the rest is stored.
func TestRawThatJSONBCannotHoldDoesNotHoldUpTheRest(t *testing.T) {
	url := pgtest.Database(t)
	store, db := pgtest.Open(t, url, pg.Options{}), pgtest.Connect(t, url)
	r := runner(store, amazon{make(chan string, 10)})
	r.Store = rawOf{store, `{"chargePermissionId":"x","somethingNew":1e999999}`}
	if again, err := r.Refresh(t.Context(), batch(1, 2, time.Minute, false)); again || err != nil {
		t.Fatal(again, err)
	}
	var stored, kept int
	if err := db.QueryRow(t.Context(), `select count(*) filter (where state = 'Chargeable'), count(*) filter (where raw #>> '{}' like '%1e999999%')
		from walletsync.charge_permissions`).Scan(&stored, &kept); err != nil {
		t.Fatal(err)
	}
	if stored != 2 || kept != 1 {
		t.Errorf("%d stored, of %d what was sent is kept", stored, kept)
	}
}

// rawOf has Amazon have sent something else for the first result.
type rawOf struct {
	refresh.Store
	raw string
}

func (o rawOf) Commit(ctx context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	q.Results[0].Raw = json.RawMessage(o.raw)
	return o.Store.Commit(ctx, q)
}

// poisoned gives the first result a state that the database refuses.
type poisoned struct {
	refresh.Store
	poison func(*wallet.ChargePermission)
}

func (p poisoned) Commit(ctx context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	p.poison(&q.Results[0].State)
	return p.Store.Commit(ctx, q)
}

// Package postgres reads what the console shows, counts its hourly figures, and
// keeps its access log.
package postgres

import (
	"context"
	"embed"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/console/view"
	"walletsync/internal/pg"
	"walletsync/internal/reconcile"
	"walletsync/internal/wallet"
)

// Statements are those of the package.
//
//go:embed sql/*.sql
var Statements embed.FS

// Notifications returns what is known of the accounts' notifications, in their
// order: reconcile/postgres.
type Notifications interface {
	HeardOf(ctx context.Context, accounts []wallet.AccountID, gracePeriod time.Duration) ([]reconcile.Heard, error)
}

// Store is what the console needs of the database.
type Store struct {
	db            *pg.DB
	notifications Notifications
}

// New returns the store in a database.
func New(db *pg.DB, notifications Notifications) *Store { return &Store{db, notifications} }

// shownOf is how many rows of each kind a record shows.
const (
	shownChanges       = 30
	shownUpdates       = 20
	shownNotifications = 20
)

// perReader is a statement for users who may see personal data, and one for masked users.
type perReader [2]string

// forReaders returns the statement as it stands, and on the masked schema.
func forReaders(name string) perReader {
	s := pg.Statement(Statements, name)
	return perReader{s, strings.ReplaceAll(s, "back_office.", "back_office_masked.")}
}

func (p perReader) of(masked bool) string {
	if masked {
		return p[1]
	}
	return p[0]
}

var (
	sqlSearch = map[string]string{
		view.ByID: pg.Statement(Statements, "search_id"), view.ByName: pg.Statement(Statements, "search_name"),
		view.ByEmail: pg.Statement(Statements, "search_email"), view.ByPostalCode: pg.Statement(Statements, "search_postal_code"),
	}
	sqlState   = pg.Statement(Statements, "list_state")
	sqlUpdated = pg.Statement(Statements, "list_updated")
	sqlPending = pg.Statement(Statements, "list_pending")
	sqlWaiting = pg.Statement(Statements, "list_waiting")
	sqlStale   = pg.Statement(Statements, "list_stale")
	sqlFailing = pg.Statement(Statements, "list_failing")
	sqlRows    = forReaders("rows")

	sqlShipping      = forReaders("shipping")
	sqlBilling       = forReaders("billing")
	sqlBuyer         = forReaders("buyer")
	sqlPayment       = forReaders("payment")
	sqlFreshness     = forReaders("freshness")
	sqlTimeline      = forReaders("timeline")
	sqlUpdates       = forReaders("updates")
	sqlMoney         = forReaders("money")
	sqlNotifications = pg.Statement(Statements, "notifications")

	sqlHours      = pg.Statement(Statements, "hours")
	sqlAccounts   = pg.Statement(Statements, "accounts")
	sqlLastChange = pg.Statement(Statements, "last_change")
	sqlCountHours = pg.Statement(Statements, "count_hours")
)

// Search finds charge permissions by what begins with a term, or by their state.
func (s *Store) Search(ctx context.Context, masked bool, q view.Query) ([]view.Row, view.Cursor, error) {
	if q.By == view.ByState {
		return s.list(ctx, masked, q.Most, sqlState, q.State, newest(q.After), q.After.Account, q.After.Place, q.Most+1)
	}
	sql, known := sqlSearch[q.By]
	if masked && view.Personal(q.By) {
		// The order of the rows would reveal the data that they leave out.
		return nil, view.Cursor{}, fmt.Errorf("search by %s: not without the right to personal data", q.By)
	}
	if !known {
		return nil, view.Cursor{}, fmt.Errorf("there is no search by %q", q.By)
	}
	args := []any{q.Term, q.State, q.After.Account, q.After.Place, q.Most + 1}
	if q.By == view.ByName {
		args = append(args, q.After.Part)
	}
	return s.list(ctx, masked, q.Most, sql, args...)
}

// List returns a page of one of the lists.
func (s *Store) List(ctx context.Context, masked bool, q view.ListQuery) ([]view.Row, view.Cursor, error) {
	limit, c := q.Most+1, q.After
	switch q.Filter {
	case view.NotChargeable:
		return s.list(ctx, masked, q.Most, sqlState, wallet.NonChargeable, newest(c), c.Account, c.Place, limit)
	case view.UpdatedToday:
		return s.list(ctx, masked, q.Most, sqlUpdated, q.Since, newest(c), c.Account, c.Place, limit)
	case view.UpdatePending:
		last := c.Place
		if last == "" {
			last = "ffffffff-ffff-ffff-ffff-ffffffffffff"
		}
		return s.list(ctx, masked, q.Most, sqlPending, newest(c), last, limit)
	case view.Waiting:
		return s.list(ctx, masked, q.Most, sqlWaiting, oldest(c), c.Account, c.Place, limit)
	case view.Stale:
		return s.list(ctx, masked, q.Most, sqlStale, q.Since, oldest(c), c.Account, c.Place, limit)
	case view.Failing:
		return s.list(ctx, masked, q.Most, sqlFailing, oldest(c), c.Account, c.Place, limit)
	}
	return nil, view.Cursor{}, fmt.Errorf("there is no list %q", q.Filter)
}

// newest is where a list goes on that begins with the newest, oldest of one that
// begins with the oldest.
func newest(c view.Cursor) string {
	if c == (view.Cursor{}) {
		return "infinity"
	}
	return c.At().Format(time.RFC3339Nano)
}

func oldest(c view.Cursor) string {
	if c == (view.Cursor{}) {
		return "-infinity"
	}
	return c.At().Format(time.RFC3339Nano)
}

// list finds a page of rows, and reads what it shows of them.
func (s *Store) list(ctx context.Context, masked bool, limit int, sql string, args ...any) ([]view.Row, view.Cursor, error) {
	var keys []view.Key
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) { pg.Collect(b, &keys, pgx.RowToStructByPos, sql, args...) })
	if err != nil {
		return nil, view.Cursor{}, err
	}
	var next view.Cursor
	if len(keys) > limit {
		keys = keys[:limit]
		next = view.CursorAfter(keys[limit-1])
	}
	accounts, ids := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		accounts[i], ids[i] = string(k.Account), string(k.ChargePermissionID)
	}
	out := []view.Row{}
	if len(keys) == 0 {
		return out, next, nil
	}
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) { collect(b, &out, sqlRows.of(masked), accounts, ids) })
	if err != nil {
		return nil, view.Cursor{}, err
	}
	for i := range out {
		out[i].At = keys[i].At
	}
	return out, next, nil
}

// collect queues a statement and sets into to its rows, whose columns are named
// as T's fields.
func collect[T any](b *pgx.Batch, into *[]T, sql string, args ...any) {
	pg.Collect(b, into, pgx.RowToStructByNameLax, sql, args...)
}

// one queues a statement and keeps its row, nil if there is none.
func one[T any](b *pgx.Batch, into **T, sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByNameLax[T])
		*into = nil
		if len(all) > 0 {
			*into = all[0]
		}
		return err
	})
}

// Record reads all of one charge permission, in one round trip. It returns false
// for one that walletsync does not know or does not follow.
func (s *Store) Record(ctx context.Context, masked bool, account wallet.AccountID, id wallet.ChargePermissionID, before int64) (view.Record, bool, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	var out view.Record
	var fresh *view.Freshness
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		out = view.Record{Account: string(account), ChargePermissionID: string(id)}
		one(b, &fresh, sqlFreshness.of(masked), account, id)
		one(b, &out.Buyer, sqlBuyer.of(masked), account, id)
		one(b, &out.ShippingAddress, sqlShipping.of(masked), account, id)
		one(b, &out.BillingAddress, sqlBilling.of(masked), account, id)
		one(b, &out.PaymentState, sqlPayment.of(masked), account, id)
		collect(b, &out.Timeline, sqlTimeline.of(masked), account, id, before, shownChanges+1)
		collect(b, &out.Updates, sqlUpdates.of(masked), account, id, shownUpdates)
		collect(b, &out.RefundAndChargebackNotifications, sqlMoney.of(masked), account, id, shownNotifications)
		collect(b, &out.Notifications, sqlNotifications, account, id, shownNotifications)
	})
	if err != nil || fresh == nil {
		return view.Record{}, false, err
	}
	out.Freshness = *fresh
	if len(out.Timeline) > shownChanges {
		out.Timeline = out.Timeline[:shownChanges]
		out.TimelineNext = out.Timeline[shownChanges-1].Position
	}
	return out, true, nil
}

// Overview reads the state of the accounts, and the hours since from. An update's
// notification is due after gracePeriod.
func (s *Store) Overview(ctx context.Context, from time.Time, gracePeriod time.Duration) (view.Overview, error) {
	var out view.Overview
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		out = view.Overview{}
		collect(b, &out.Hours, sqlHours, from)
		collect(b, &out.Accounts, sqlAccounts)
		b.Queue(sqlLastChange).Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
			if len(all) > 0 {
				out.LastChangeAt = &all[0]
			}
			return err
		})
	})
	if err != nil {
		return view.Overview{}, err
	}
	accounts := make([]wallet.AccountID, len(out.Accounts))
	for i, a := range out.Accounts {
		accounts[i] = wallet.AccountID(a.Account)
	}
	heard, err := s.notifications.HeardOf(ctx, accounts, gracePeriod)
	if err != nil {
		return view.Overview{}, err
	}
	for i, h := range heard {
		a := &out.Accounts[i]
		a.Channel, a.MissingNotifications = string(h.Verdict()), h.Missing()
		if !h.First.IsZero() {
			a.MissingSince = &h.First
		}
	}
	return out, nil
}

// CountHours counts what happened in the hour that is open and in those since
// the last run, for the console's overview.
func (s *Store) CountHours(ctx context.Context, account wallet.AccountID) error {
	return s.db.RoundTrip(ctx, func(b *pgx.Batch) { b.Queue(sqlCountHours, account, s.db.Now()) })
}

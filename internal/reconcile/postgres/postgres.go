// Package postgres finds the reconciler's work: charge permissions that have long
// been unread, missing notifications, and old ones.
package postgres

import (
	"context"
	"embed"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/pg"
	"walletsync/internal/reconcile"
	"walletsync/internal/wallet"
)

// Statements are those of the package.
//
//go:embed sql/*.sql
var Statements embed.FS

var (
	sqlSweepable           = pg.Statement(Statements, "sweepable")
	sqlSweep               = pg.Statement(Statements, "sweep")
	sqlChannel             = pg.Statement(Statements, "channel")
	sqlForgetNotifications = pg.Statement(Statements, "forget_notifications")
)

// Store is what the reconciler's own duties need of the database.
type Store struct{ db *pg.DB }

// New returns the store in a database.
func New(db *pg.DB) *Store { return &Store{db} }

// Sweepable returns the work of the sweep in an account.
func (s *Store) Sweepable(ctx context.Context, account wallet.AccountID) (reconcile.Sweepable, error) {
	var out []reconcile.Sweepable
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) { pg.Collect(b, &out, pgx.RowToStructByPos, sqlSweepable, account) })
	if err == nil && len(out) == 0 {
		err = pg.MissingAccount(account)
	}
	if err != nil {
		return reconcile.Sweepable{}, err
	}
	return out[0], nil
}

// MarkUnread requests a refresh at sweep priority of charge permissions that have
// been unread for at least that long, the longest unread first and at most limit.
// If it is repeated after an unknown outcome, it may request as many more.
func (s *Store) MarkUnread(ctx context.Context, account wallet.AccountID, unread time.Duration, limit int) (int, error) {
	var marked int
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) { pg.Affect(b, &marked, sqlSweep, account, unread.Seconds(), limit, s.db.Now()) })
	return marked, err
}

// Heard returns the record of an account's notifications. That of an update is due
// after gracePeriod.
func (s *Store) Heard(ctx context.Context, account wallet.AccountID, gracePeriod time.Duration) (reconcile.Heard, error) {
	heard, err := s.HeardOf(ctx, []wallet.AccountID{account}, gracePeriod)
	if err != nil {
		return reconcile.Heard{}, err
	}
	return heard[0], nil
}

// HeardOf is Heard for several accounts, in their order.
func (s *Store) HeardOf(ctx context.Context, accounts []wallet.AccountID, gracePeriod time.Duration) (heard []reconcile.Heard, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		heard = make([]reconcile.Heard, len(accounts))
		for i, a := range accounts {
			b.Queue(sqlChannel, a, gracePeriod.Seconds(), s.db.Now()).QueryRow(func(row pgx.Row) error {
				var last, first *time.Time
				h := &heard[i]
				if err := row.Scan(&last, &h.Updates, &h.Found, &first); err != nil {
					return err
				}
				if last != nil {
					h.Last = *last
				}
				if first != nil {
					h.First = *first
				}
				return nil
			})
		}
	})
	return heard, err
}

// Forget deletes notifications that were processed at least that long ago, the
// oldest first and at most limit, and returns how many.
func (s *Store) Forget(ctx context.Context, account wallet.AccountID, processed time.Duration, limit int) (forgotten int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Affect(b, &forgotten, sqlForgetNotifications, account, processed.Seconds(), limit, s.db.Now())
	})
	return forgotten, err
}

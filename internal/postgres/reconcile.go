package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/pg"
	"walletsync/internal/reconcile"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

var (
	sqlSweepable = statement("sweepable")
	sqlSweep     = statement("sweep")
	sqlChannel   = statement("channel")
	sqlInboxOld  = statement("inbox_old")
)

// Backlog decides on an account's wake-up as the last transaction of a batch
// does, and tells what waits.
func (s *Store) Backlog(ctx context.Context, account wallet.AccountID) (refresh.Backlog, []refresh.Wake, error) {
	var backlogs []refresh.Backlog
	var wakes []refresh.Wake
	err := s.db.RoundTripRetry(ctx, func(b *pgx.Batch, again bool) {
		backlogs, wakes = nil, nil
		now := s.db.Now()
		s.queueWakes(b, []wallet.AccountID{account}, nil, again, refresh.Lease{}, now, &wakes)
		queueBacklogs(b, []wallet.AccountID{account}, now, &backlogs)
	})
	if err != nil {
		return refresh.Backlog{}, nil, err
	}
	if len(backlogs) == 0 {
		return refresh.Backlog{}, nil, pg.MissingAccount(account)
	}
	return backlogs[0], wakes, nil
}

// Sweepable tells what there is to sweep in an account.
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

// MarkUnread marks what has been unread for so long as wanted at sweep
// priority, the longest unread first and at most so many. Repeated after an
// unknown outcome it may mark as many again.
func (s *Store) MarkUnread(ctx context.Context, account wallet.AccountID, unread time.Duration, most int) (int, error) {
	var marked int
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) { pg.Affect(b, &marked, sqlSweep, account, unread.Seconds(), most, s.db.Now()) })
	return marked, err
}

// Heard tells of an account's notifications.
func (s *Store) Heard(ctx context.Context, account wallet.AccountID, patience time.Duration) (h reconcile.Heard, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) { s.queueHeard(b, account, patience, &h) })
	return h, err
}

func (s *Store) queueHeard(b *pgx.Batch, account wallet.AccountID, patience time.Duration, h *reconcile.Heard) {
	b.Queue(sqlChannel, account, patience.Seconds(), s.db.Now()).QueryRow(func(row pgx.Row) error {
		var last, first *time.Time
		*h = reconcile.Heard{}
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

// Forget is that of reconcile.InboxStore.
func (s *Store) Forget(ctx context.Context, account wallet.AccountID, processed time.Duration, most int) (forgotten int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Affect(b, &forgotten, sqlInboxOld, account, processed.Seconds(), most, s.db.Now())
	})
	return forgotten, err
}

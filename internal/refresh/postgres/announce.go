package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/pg"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

var (
	sqlAnnounce  = pg.Statement(Statements, "announce")
	sqlAnnounced = pg.Statement(Statements, "announced")
)

// Announce makes charge permissions known to an account, and requests those
// that were never read at the priority of a notification. The ids are distinct
// and in key order, and so is what it returns, with the wake-up that has to be
// sent. Repeated after an unknown outcome it may report as pending what the first
// trip requested.
func (s *Store) Announce(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID) ([]wallet.Announcement, []refresh.Wake, error) {
	var out []wallet.Announcement
	var wakes []refresh.Wake
	err := s.db.RoundTripRetry(ctx, func(b *pgx.Batch, again bool) {
		out, wakes = nil, nil
		now := s.db.Now()
		b.Queue(sqlAnnounce, account, pg.Texts(ids), wallet.PriorityNotification, now)
		b.Queue(sqlAnnounced, account, pg.Texts(ids), wallet.PriorityNotification, now).Query(func(rows pgx.Rows) (err error) {
			out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[wallet.Announcement])
			return err
		})
		s.queueWakes(b, []wallet.AccountID{account}, nil, again, refresh.Lease{}, now, &wakes)
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.ConstraintName == "refreshes_account_fkey" {
		err = pg.MissingAccount(account)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("announce: %w", err)
	}
	return out, wakes, nil
}

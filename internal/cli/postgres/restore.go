package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/pg"
	"walletsync/internal/privacy"
	"walletsync/internal/restore"
	"walletsync/internal/wallet"
)

var (
	sqlRestoreLeases   = pg.Statement(Statements, "restore_leases")
	sqlRestoreFeed     = pg.Statement(Statements, "restore_feed")
	sqlRestoreQuota    = pg.Statement(Statements, "restore_quota")
	sqlRestoreStanding = pg.Statement(Statements, "restore_standing")
	sqlRestoreMark     = pg.Statement(Statements, "restore_mark")
	sqlRestoreAccounts = pg.Statement(Statements, "restore_accounts")
)

// Restored is that of restore.Store. Repeated after an unknown outcome it raises
// the counter once more, which only leaves a gap.
func (s *Store) Restored(ctx context.Context) (position int64, leases int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Affect(b, &leases, sqlRestoreLeases)
		b.Queue(sqlRestoreFeed).QueryRow(func(row pgx.Row) error { return row.Scan(&position) })
		b.Queue(sqlRestoreQuota)
	})
	return position, leases, err
}

// Standing is that of restore.Store.
func (s *Store) Standing(ctx context.Context, account wallet.AccountID, all []privacy.Erasure) (standing []privacy.Erasure, err error) {
	ids, at := make([]string, len(all)), make([]time.Time, len(all))
	for i, e := range all {
		ids[i], at[i] = string(e.ChargePermission), e.At
	}
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		standing = nil
		b.Queue(sqlRestoreStanding, account, ids, at).Query(func(rows pgx.Rows) error {
			var place int
			_, err := pgx.ForEachRow(rows, []any{&place}, func() error {
				standing = append(standing, all[place-1])
				return nil
			})
			return err
		})
	})
	return standing, err
}

// MarkAll is that of restore.Store.
func (s *Store) MarkAll(ctx context.Context, account wallet.AccountID, after wallet.ChargePermissionID, most int) (m restore.Marked, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlRestoreMark, account, after, most, s.db.Now()).QueryRow(func(row pgx.Row) error {
			return row.Scan(&m.Seen, &m.Last, &m.Marked)
		})
	})
	return m, err
}

// Accounts is that of restore.Store.
func (s *Store) Accounts(ctx context.Context) (all []restore.Account, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(`analyze walletsync.accounts`)
		pg.Collect(b, &all, pgx.RowToStructByPos, sqlRestoreAccounts)
	})
	return all, err
}

package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/pg"
	"walletsync/internal/privacy"
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

// Restored raises the feed's counter, ends all leases and forgets wake-ups under
// way. Repeated after an unknown outcome it raises the counter once more, which
// only leaves a gap.
func (s *Store) Restored(ctx context.Context) (position int64, leases int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Affect(b, &leases, sqlRestoreLeases)
		b.Queue(sqlRestoreFeed).QueryRow(func(row pgx.Row) error { return row.Scan(&position) })
		b.Queue(sqlRestoreQuota)
	})
	return position, leases, err
}

// Standing returns those erasures after which no update was completed.
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

// MarkAll requests a refresh of what may have changed, of the next limit charge
// permissions in key order after one.
func (s *Store) MarkAll(ctx context.Context, account wallet.AccountID, after wallet.ChargePermissionID, limit int) (seen int, last wallet.ChargePermissionID, requested int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlRestoreMark, account, after, limit, s.db.Now()).QueryRow(func(row pgx.Row) error {
			return row.Scan(&seen, &last, &requested)
		})
	})
	return seen, last, requested, err
}

// Accounts returns the accounts of the database, and how many charge permissions
// they have.
func (s *Store) Accounts(ctx context.Context) (accounts []wallet.AccountID, total int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(`analyze walletsync.accounts`)
		b.Queue(sqlRestoreAccounts).Query(func(rows pgx.Rows) error {
			accounts, total = nil, 0
			var id wallet.AccountID
			var n int
			_, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error {
				accounts, total = append(accounts, id), total+n
				return nil
			})
			return err
		})
	})
	return accounts, total, err
}

package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/person"
	"walletsync/internal/wallet"
)

var (
	sqlRestoredLeases   = statement("restored_leases")
	sqlRestoredFeed     = statement("restored_feed")
	sqlRestoredQuota    = statement("restored_quota")
	sqlRestoredStanding = statement("restored_standing")
	sqlRestoredMark     = statement("restored_mark")
	sqlRestoredAccounts = statement("restored_accounts")
)

// Restored is that of cli.RestoreStore. Repeated after an unknown outcome it raises
// the counter once more, which only leaves a gap.
func (s *Store) Restored(ctx context.Context) (position int64, leases int, err error) {
	err = s.trip(ctx, func(b *pgx.Batch) {
		affect(b, &leases, sqlRestoredLeases)
		b.Queue(sqlRestoredFeed).QueryRow(func(row pgx.Row) error { return row.Scan(&position) })
		b.Queue(sqlRestoredQuota)
	})
	return position, leases, err
}

// Standing is that of cli.RestoreStore.
func (s *Store) Standing(ctx context.Context, account wallet.AccountID, all []person.Erasure) (standing []person.Erasure, err error) {
	ids, at := make([]string, len(all)), make([]time.Time, len(all))
	for i, e := range all {
		ids[i], at[i] = string(e.ChargePermission), e.At
	}
	err = s.trip(ctx, func(b *pgx.Batch) {
		standing = nil
		b.Queue(sqlRestoredStanding, account, ids, at).Query(func(rows pgx.Rows) error {
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

// MarkAll is that of cli.RestoreStore.
func (s *Store) MarkAll(ctx context.Context, account wallet.AccountID, after wallet.ChargePermissionID, limit int) (seen int, last wallet.ChargePermissionID, requested int, err error) {
	err = s.trip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlRestoredMark, account, after, limit, s.at()).QueryRow(func(row pgx.Row) error {
			return row.Scan(&seen, &last, &requested)
		})
	})
	return seen, last, requested, err
}

// Accounts is that of cli.RestoreStore.
func (s *Store) Accounts(ctx context.Context) (accounts []wallet.AccountID, total int, err error) {
	err = s.trip(ctx, func(b *pgx.Batch) {
		b.Queue(`analyze walletsync.accounts`)
		b.Queue(sqlRestoredAccounts).Query(func(rows pgx.Rows) error {
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

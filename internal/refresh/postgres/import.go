package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/pg"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

var (
	sqlImport       = pg.Statement(Statements, "import")
	sqlImported     = pg.Statement(Statements, "imported")
	sqlImportWaits  = pg.Statement(Statements, "import_waits")
	sqlImportOthers = pg.Statement(Statements, "import_others")
)

// Import requests a refresh, behind everything else, of those ids that are not
// known, and returns how many they were. Repeated after an unknown outcome it may
// count as known what the first trip requested.
func (s *Store) Import(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID) (int, error) {
	var marked int
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Affect(b, &marked, sqlImport, account, pg.Texts(ids), s.db.Now())
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.ConstraintName == "refreshes_account_fkey" {
		err = pg.MissingAccount(account)
	}
	return marked, err
}

// Imported returns the state of imported ids.
func (s *Store) Imported(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID) (refresh.Imported, error) {
	var out refresh.Imported
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlImported, account, pg.Texts(ids)).QueryRow(func(row pgx.Row) error {
			return row.Scan(&out.Read, &out.NotFollowed, &out.Gone, &out.Failing, &out.Waiting, &out.Erased, &out.Error)
		})
	})
	return out, err
}

// ImportOf returns how far the import of an account is.
func (s *Store) ImportOf(ctx context.Context, account wallet.AccountID) (refresh.Import, error) {
	var out refresh.Import
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlImportWaits, account, refresh.StuckAfter, s.db.Now()).QueryRow(func(row pgx.Row) error {
			var rest float64
			err := row.Scan(&out.Waiting, &out.Stuck, &out.Ahead, &out.PerSecond, &rest, &out.Why)
			out.Rest = time.Duration(rest * float64(time.Second))
			return err
		})
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = pg.MissingAccount(account)
	}
	return out, err
}

// OtherCalls returns about how many calls a second went to anything but imports in
// the last hour.
func (s *Store) OtherCalls(ctx context.Context, account wallet.AccountID) (float64, error) {
	var out float64
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlImportOthers, account, s.db.Now()).QueryRow(func(row pgx.Row) error { return row.Scan(&out) })
	})
	return out, err
}

package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"walletsync/internal/console/view"
	"walletsync/internal/pg"
	"walletsync/internal/wallet"
)

var (
	sqlAccessLog    = pg.Statement(Statements, "access_log")
	sqlAccessOf     = pg.Statement(Statements, "access_of")
	sqlForgetAccess = pg.Statement(Statements, "forget_access")
)

// LogAccess writes what a user did into the access log: a line for each charge
// permission, one if there are none.
func (s *Store) LogAccess(ctx context.Context, by view.Identity, a view.Access) error {
	n := max(len(a.ChargePermissions), 1)
	lines, ids := make([]string, n), make([]*string, n)
	for i := range lines {
		lines[i] = uuid.NewString() // random, so that the trip may be made again
		if len(a.ChargePermissions) > 0 {
			ids[i] = new(string(a.ChargePermissions[i]))
		}
	}
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlAccessLog, lines, by.Subject, by.Name, by.Role.String(), a.What, a.Account, ids, a.Detail, s.db.Now())
	})
	if err != nil {
		return fmt.Errorf("write the access log: %w", err)
	}
	return nil
}

// Accesses returns who opened a record, the newest first and at most limit.
func (s *Store) Accesses(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, limit int) (all []view.Accessed, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) { pg.Collect(b, &all, pgx.RowToStructByPos, sqlAccessOf, account, id, limit) })
	if err != nil {
		return nil, fmt.Errorf("read the access log: %w", err)
	}
	return all, nil
}

// ForgetAccesses deletes the lines of the access log that were written so long
// ago, the oldest first and at most limit, and returns how many.
func (s *Store) ForgetAccesses(ctx context.Context, written time.Duration, limit int) (forgotten int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) { pg.Affect(b, &forgotten, sqlForgetAccess, written.Seconds(), limit, s.db.Now()) })
	return forgotten, err
}

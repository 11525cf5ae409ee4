package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/pg"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

var sqlInbox = pg.Statement(Statements, "inbox")

// Inbox passes on the notifications that an account's worker recorded in a period,
// in the order of their publication, until each fails. It is not repeated after a
// failure: what was passed on cannot be taken back.
func (s *Store) Inbox(ctx context.Context, account wallet.AccountID, since, until time.Time, each func(refresh.Recorded) error) error {
	err := s.db.Use(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sqlInbox, account, since, until)
		if err != nil {
			return err
		}
		var r refresh.Recorded
		_, err = pgx.ForEachRow(rows, []any{&r.ChargePermission, &r.ObjectType, &r.Object, &r.Type, &r.Published, &r.Arrived, &r.Processed, &r.Outcome},
			func() error { return each(r) })
		return err
	})
	if err != nil {
		return fmt.Errorf("read the inbox: %w", err)
	}
	return nil
}

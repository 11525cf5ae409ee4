package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/pg"
	"walletsync/internal/push"
)

var (
	sqlPushBegin = statement("push_begin")
	sqlUnpushed  = statement("unpushed")
	sqlPushed    = statement("pushed")
)

// Unpushed is that of push.Store.
func (s *Store) Unpushed(ctx context.Context, most int) ([]push.Change, error) {
	var out []push.Change
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlPushBegin, s.db.Now())
		pg.Collect(b, &out, func(r pgx.CollectableRow) (push.Change, error) {
			c := push.Change{Version: 1}
			err := r.Scan(&c.Account, &c.ChargePermission, &c.Facet, &c.Position)
			return c, err
		}, sqlUnpushed, most)
	})
	return out, err
}

// Pushed is that of push.Store.
func (s *Store) Pushed(ctx context.Context, position int64) error {
	return s.db.RoundTrip(ctx, func(b *pgx.Batch) { b.Queue(sqlPushed, position, s.db.Now()) })
}

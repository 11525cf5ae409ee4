// Package postgres stores how far the change feed has been published.
package postgres

import (
	"context"
	"embed"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/feedpush"
	"walletsync/internal/pg"
)

// Statements are those of the package.
//
//go:embed sql/*.sql
var Statements embed.FS

var (
	sqlBegin    = pg.Statement(Statements, "begin")
	sqlUnpushed = pg.Statement(Statements, "unpushed")
	sqlPushed   = pg.Statement(Statements, "pushed")
)

// Store is a feedpush.Store.
type Store struct{ db *pg.DB }

// New returns the store in a database.
func New(db *pg.DB) *Store { return &Store{db} }

// Unpushed returns the next changes in their order, at most limit. The first call
// ever moves the cursor to the feed's end and returns none.
func (s *Store) Unpushed(ctx context.Context, limit int) (changes []feedpush.Change, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlBegin, s.db.Now())
		pg.Collect(b, &changes, func(r pgx.CollectableRow) (feedpush.Change, error) {
			c := feedpush.Change{Version: 1}
			err := r.Scan(&c.Account, &c.ChargePermission, &c.Facet, &c.Position)
			return c, err
		}, sqlUnpushed, limit)
	})
	return changes, err
}

// Pushed moves the cursor forward to a position; it never moves it back.
func (s *Store) Pushed(ctx context.Context, position int64) error {
	return s.db.RoundTrip(ctx, func(b *pgx.Batch) { b.Queue(sqlPushed, position, s.db.Now()) })
}

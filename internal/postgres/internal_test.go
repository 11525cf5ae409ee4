package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// What a test of the export's plans needs.
var (
	ExportPage     = exportPage
	ExportSettings = exportSettings
)

// Trip sends one statement whose row is read by scan, and returns how often it
// was sent.
func (s *Store) Trip(ctx context.Context, scan func(pgx.Row) error, sql string, args ...any) (sent int, err error) {
	err = s.trip(ctx, func(b *pgx.Batch) {
		sent++
		b.Queue(sql, args...).QueryRow(scan)
	})
	return sent, err
}

// Unstorable is unstorable.
var Unstorable = unstorable

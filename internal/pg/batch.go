package pg

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Collect queues a statement and sets into to its rows, as read returns them.
func Collect[T any](b *pgx.Batch, into *[]T, read pgx.RowToFunc[T], sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, read)
		return err
	})
}

// Append is Collect for statements that share a list: it appends. A fill that may
// run again has to empty the list first.
func Append[T any](b *pgx.Batch, into *[]T, read pgx.RowToFunc[T], sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.AppendRows(*into, rows, read)
		return err
	})
}

// Affect queues a statement and sets rows to how many it affects.
func Affect(b *pgx.Batch, rows *int, sql string, args ...any) {
	b.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		*rows = int(tag.RowsAffected())
		return nil
	})
}

// Texts are values as a parameter of type text[] takes them.
func Texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// NullIfEmpty is a text as a parameter takes it: nil if it is empty.
func NullIfEmpty[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

// NullIfZero is a time as a parameter takes it: nil if it is zero.
func NullIfZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

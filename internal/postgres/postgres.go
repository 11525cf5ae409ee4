// Package postgres keeps walletsync's state in PostgreSQL 15 or newer. One file
// serves one room: refresh.go the convergent refresh.
// The SQL stands in sql/, one statement a file, each with its locks and indexes.
//
// Every transaction locks in this order: notifications, refreshes,
// charge_permissions, update_sessions, feed, api_quota; and rows of one table
// in key order. So no two of them can wait for one another.
//
// Statements run in pgx's exec mode, unprepared and in one pipeline up to one
// Sync. That is one round trip and one transaction, direct or through a pooler
// in transaction mode, and an error in it costs no reconnect.
package postgres

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/telemetry"
)

//go:embed sql/*.sql
var files embed.FS

// statement returns the text of one statement.
func statement(name string) string {
	b, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // embedded: it is there or the program was never built
	}
	return string(b)
}

// Options are the limits of a Store. The zero value is usable.
type Options struct {
	// Connections is the most open at once; zero means 1, which serves a
	// function that does one batch at a time.
	Connections int32
	// ConnectTimeout bounds one connection attempt; zero means 5 s.
	ConnectTimeout time.Duration
	// StatementTimeout bounds one statement on the server, so that nothing of
	// ours outlives the function that asked; zero means 10 s.
	StatementTimeout time.Duration
	// PingAfter is for how long a connection may be idle before it is pinged
	// ahead of its next use; zero means 30 s.
	PingAfter time.Duration
	// BeforeConnect may change how a connection is made, as its password; nil
	// leaves it as the URL says.
	BeforeConnect func(context.Context, *pgx.ConnConfig) error
	Metrics       *telemetry.Metrics
	// Now replaces the server's clock in every statement; nil leaves it.
	Now func() time.Time
}

// Store is a pool of connections to one database. It connects when first used.
type Store struct {
	source         Source
	beforeConnect  func(context.Context, *pgx.ConnConfig) error
	connections    int32
	connectTimeout time.Duration
	pingAfter      time.Duration
	timeout        string        // the statement that sets statement_timeout
	tripTimeout    time.Duration // of one attempt at a trip
	metrics        *telemetry.Metrics
	now            func() time.Time

	pool    func() (*pgxpool.Pool, error)
	refused atomic.Bool // the server refused the user or password of source's URL
}

// New returns a store for the database that source leads to. It neither reads
// the source nor connects.
func New(source Source, o Options) *Store {
	timeout := cmp.Or(o.StatementTimeout, 10*time.Second)
	s := &Store{
		source:         source,
		beforeConnect:  o.BeforeConnect,
		connections:    max(1, o.Connections),
		connectTimeout: cmp.Or(o.ConnectTimeout, 5*time.Second),
		pingAfter:      cmp.Or(o.PingAfter, defaultPingAfter),
		// Not SET LOCAL: outside a transaction block the server logs a warning
		// for it, and RDS Proxy pins the session.
		timeout:     fmt.Sprintf("select set_config('statement_timeout', '%d', true)", timeout.Milliseconds()),
		tripTimeout: timeout + tripGrace,
		metrics:     o.Metrics,
		now:         o.Now,
	}
	s.pool = sync.OnceValues(s.newPool)
	return s
}

// Close closes every connection.
func (s *Store) Close() {
	if pool, err := s.pool(); err == nil {
		pool.Close()
	}
}

// at is the time that statements take for now: null, the server's own clock.
func (s *Store) at() *time.Time {
	if s.now == nil {
		return nil
	}
	t := s.now()
	return &t
}

// trip sends b as one pipeline up to one Sync: one round trip, one transaction.
// The statements' results are read by the functions queued with them.
//
// If the connection turns out to be lost or of no use, the trip is made once
// more on another. Whether the first one was committed is not known then, so a
// trip must be safe to repeat.
func (s *Store) trip(ctx context.Context, fill func(*pgx.Batch)) error {
	return s.tripTold(ctx, func(b *pgx.Batch, _ bool) { fill(b) })
}

// tripTold is trip for a fill that has to know whether it is made again.
func (s *Store) tripTold(ctx context.Context, fill func(b *pgx.Batch, again bool)) error {
	discarded, err := s.tripOnce(ctx, func(b *pgx.Batch) { fill(b, false) })
	if discarded && ctx.Err() == nil {
		_, err = s.tripOnce(ctx, func(b *pgx.Batch) { fill(b, true) })
	}
	return err
}

// collectBy queues a statement and sets into to its rows, as read returns them.
func collectBy[T any](b *pgx.Batch, into *[]T, read pgx.RowToFunc[T], sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, read)
		return err
	})
}

// appendBy is collectBy for statements that share a list: it appends. A fill
// that may run again has to empty the list first.
func appendBy[T any](b *pgx.Batch, into *[]T, read pgx.RowToFunc[T], sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.AppendRows(*into, rows, read)
		return err
	})
}

// tripOnce reports whether it discarded the connection, which is why it failed.
func (s *Store) tripOnce(ctx context.Context, fill func(*pgx.Batch)) (discarded bool, err error) {
	var b pgx.Batch
	b.Queue(s.timeout)
	fill(&b)
	return s.use(ctx, func(conn *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, s.tripTimeout)
		defer cancel()
		return conn.SendBatch(ctx, &b).Close()
	})
}

// use has do use a connection. It reports whether it discarded the connection
// afterwards, as it was lost or of no use. An error of do quotes no data.
func (s *Store) use(ctx context.Context, do func(*pgx.Conn) error) (discarded bool, err error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return false, err
	}
	err = do(conn.Conn())
	if err != nil && (conn.Conn().IsClosed() || serverUnusable(err)) {
		discard(conn)
		return true, withoutData(err)
	}
	release(conn)
	return false, withoutData(err)
}

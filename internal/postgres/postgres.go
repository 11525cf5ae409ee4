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
	"context"
	"embed"
	"errors"
	"fmt"
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

// errURL stands in for pgx's own error, which quotes the URL.
var errURL = errors.New("the database URL cannot be read; it must look like postgres://user:password@host:5432/database?sslmode=verify-full")

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
	// BeforeConnect may change how a connection is made, as its password; nil
	// leaves it as the URL says.
	BeforeConnect func(context.Context, *pgx.ConnConfig) error
	Metrics       *telemetry.Metrics
	// Now replaces the server's clock in every statement; nil leaves it.
	Now func() time.Time
}

// Store is a pool of connections to one database. It connects when first used.
type Store struct {
	pool    *pgxpool.Pool
	timeout string
	metrics *telemetry.Metrics
	now     func() time.Time
}

// Open returns a store for the database at url, without connecting.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.ConnConfig.StatementCacheCapacity = 0
	c.ConnConfig.DescriptionCacheCapacity = 0
	c.ConnConfig.ConnectTimeout = o.ConnectTimeout
	if o.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	c.BeforeConnect = o.BeforeConnect
	c.MaxConns = max(1, o.Connections)
	c.MinConns, c.MinIdleConns = 0, 0
	c.MaxConnIdleTime = 5 * time.Minute
	// A ping before use would be a third round trip. A connection that died
	// meanwhile is noticed by the statement, which is tried again (see trip).
	c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 10 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	return &Store{
		pool:    pool,
		timeout: fmt.Sprintf("set local statement_timeout = %d", o.StatementTimeout.Milliseconds()),
		metrics: o.Metrics,
		now:     o.Now,
	}, nil
}

// Close closes every connection.
func (s *Store) Close() { s.pool.Close() }

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
// A connection that broke, as idle ones do while a function is frozen, is
// replaced and the trip made once more. Whether the first one was committed is
// not known then, so a trip must be safe to repeat.
func (s *Store) trip(ctx context.Context, fill func(*pgx.Batch)) error {
	return s.tripTold(ctx, func(b *pgx.Batch, _ bool) { fill(b) })
}

// tripTold is trip for a fill that has to know whether it is made again.
func (s *Store) tripTold(ctx context.Context, fill func(b *pgx.Batch, again bool)) error {
	err := s.tripOnce(ctx, func(b *pgx.Batch) { fill(b, false) })
	if err != nil && connectionLost(err) && ctx.Err() == nil {
		err = s.tripOnce(ctx, func(b *pgx.Batch) { fill(b, true) })
	}
	return err
}

func (s *Store) tripOnce(ctx context.Context, fill func(*pgx.Batch)) error {
	var b pgx.Batch
	b.Queue(s.timeout)
	fill(&b)
	err := s.pool.SendBatch(ctx, &b).Close()
	if notConnected(err) {
		s.metrics.Count(telemetry.ConnectionsFailed, 1, telemetry.Labels{})
	}
	return err
}

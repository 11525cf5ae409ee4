// Package pg connects to PostgreSQL 15 or newer and makes round trips. It knows
// no feature: a feature's statements stand in its folder postgres/, each in a
// file of its own under sql/, with its locks and its index.
//
// Every transaction of every feature locks in this order: notifications,
// refreshes, charge_permissions, update_sessions, feed, api_quota; and rows of
// one table in key order. So no two of them can wait for one another.
//
// Statements run in pgx's exec mode, unprepared and in one pipeline up to one
// Sync. That is one round trip and one transaction, direct or through a pooler
// in transaction mode, and an error in it costs no reconnect.
package pg

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/telemetry"
)

// Options are the limits of a DB. The zero value is usable.
type Options struct {
	// Connections limits how many are open at once; zero means 1, which serves a
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

// DB is a pool of connections to one database. It connects when first used.
type DB struct {
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

// New returns a DB for the database that source leads to. It neither reads the
// source nor connects.
func New(source Source, o Options) *DB {
	timeout := cmp.Or(o.StatementTimeout, 10*time.Second)
	db := &DB{
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
	db.pool = sync.OnceValues(db.newPool)
	return db
}

// Close closes every connection.
func (db *DB) Close() {
	if pool, err := db.pool(); err == nil {
		pool.Close()
	}
}

// Now is the time that statements take for the current one: nil for the server's
// own clock.
func (db *DB) Now() *time.Time {
	if db.now == nil {
		return nil
	}
	t := db.now()
	return &t
}

// RoundTrip sends what fill queues as one pipeline up to one Sync: one round
// trip, one transaction. The statements' results are read by the functions queued
// with them.
//
// If the connection turns out to be lost or of no use, the trip is made once
// more on another. Whether the first one was committed is not known then, so a
// trip must be safe to repeat.
func (db *DB) RoundTrip(ctx context.Context, fill func(*pgx.Batch)) error {
	return db.RoundTripRetry(ctx, func(b *pgx.Batch, _ bool) { fill(b) })
}

// RoundTripRetry is RoundTrip for a fill that has to know whether the trip is
// made once more.
func (db *DB) RoundTripRetry(ctx context.Context, fill func(b *pgx.Batch, retry bool)) error {
	discarded, err := db.once(ctx, func(b *pgx.Batch) { fill(b, false) })
	if discarded && ctx.Err() == nil {
		_, err = db.once(ctx, func(b *pgx.Batch) { fill(b, true) })
	}
	return err
}

// RoundTripOnce is RoundTrip for what must not be repeated.
func (db *DB) RoundTripOnce(ctx context.Context, fill func(*pgx.Batch)) error {
	_, err := db.once(ctx, fill)
	return err
}

// once reports whether it discarded the connection, which is why it failed.
func (db *DB) once(ctx context.Context, fill func(*pgx.Batch)) (discarded bool, err error) {
	var b pgx.Batch
	b.Queue(db.timeout)
	fill(&b)
	return db.use(ctx, func(conn *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, db.tripTimeout)
		defer cancel()
		return conn.SendBatch(ctx, &b).Close()
	})
}

// Use calls do once with a connection, for what takes more than a round trip. Its
// error quotes no data.
func (db *DB) Use(ctx context.Context, do func(*pgx.Conn) error) error {
	_, err := db.use(ctx, do)
	return err
}

// use reports whether it discarded the connection afterwards, because it was lost
// or of no use.
func (db *DB) use(ctx context.Context, do func(*pgx.Conn) error) (discarded bool, err error) {
	conn, err := db.acquire(ctx)
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

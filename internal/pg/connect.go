package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/telemetry"
)

// Source returns the URL of the database, and certificate authorities in PEM that
// are trusted besides, if there are any. It is asked each time a connection is
// made. With refetch, the server refused the user or the password of the URL
// returned last, which may have been rotated since.
type Source func(ctx context.Context, refetch bool) (url, ca string, err error)

// URL is a Source that always returns the same.
func URL(url string) Source {
	return func(context.Context, bool) (string, string, error) { return url, "", nil }
}

const (
	// maxLifetime is the age at which a connection is replaced, so that a
	// password, an address or a role of the server that changed is noticed.
	maxLifetime = 5 * time.Minute
	// lifetimeJitter keeps functions from replacing theirs all at once.
	lifetimeJitter = time.Minute
	// defaultPingAfter is Options.PingAfter's default. AWS's NAT gateways and
	// load balancers forget idle connections after 350 s, others sooner, and a
	// frozen function cannot answer keepalives.
	defaultPingAfter = 30 * time.Second
	// pingTimeout bounds the ping of a connection that was idle.
	pingTimeout = time.Second
	// tripGrace is how much longer than one statement may take on the server the
	// answer to a trip is awaited. After that the connection is taken for dead,
	// as the server would have refused a statement by then.
	tripGrace = 5 * time.Second
	// closeTimeout bounds the goodbye to a connection that is discarded.
	closeTimeout = time.Second
)

// newPool returns a pool that does not connect before it is used. Each
// connection is made as the DB's Source says at that moment.
func (db *DB) newPool() (*pgxpool.Pool, error) {
	// BeforeConnect replaces all of this. It leaves nothing to the PG… variables
	// of the environment, which could be wrong.
	c, err := pgxpool.ParseConfig("host=localhost port=5432 sslmode=disable connect_timeout=5 target_session_attrs=any")
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	c.BeforeConnect = db.configure
	c.MaxConns = db.connections
	c.MinConns, c.MinIdleConns = 0, 0
	c.MaxConnLifetime, c.MaxConnLifetimeJitter = maxLifetime, lifetimeJitter
	c.MaxConnIdleTime = 5 * time.Minute
	// acquire pings: a connection that the pool destroys keeps its place until
	// the server has answered, which takes 15 s where the server is silent.
	c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	return pool, nil
}

// configure is called by the pool before it makes a connection.
func (db *DB) configure(ctx context.Context, c *pgx.ConnConfig) error {
	url, ca, err := db.source(ctx, db.refused.Load())
	if err != nil {
		return fmt.Errorf("database URL: %w", err)
	}
	parsed, err := ConnConfig(url, ca)
	if err != nil {
		return err
	}
	*c = *parsed
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.StatementCacheCapacity, c.DescriptionCacheCapacity = 0, 0
	c.ConnectTimeout = db.connectTimeout
	if db.beforeConnect == nil {
		return nil
	}
	return db.beforeConnect(ctx, c)
}

// acquire returns a connection that answered lately; release or discard gives it
// back. A connection that cannot be made is tried once more, with the URL read
// again if the server refused the user or the password. Only when both attempts
// failed is that counted.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := db.acquireOnce(ctx)
	if notConnected(err) && ctx.Err() == nil {
		db.refused.Store(loginRefused(err))
		conn, err = db.acquireOnce(ctx)
	}
	if notConnected(err) {
		db.refused.Store(loginRefused(err))
		db.metrics.Count(telemetry.ConnectionsFailed, 1, telemetry.Labels{})
	}
	if err == nil {
		db.refused.Store(false)
	}
	return conn, err
}

func (db *DB) acquireOnce(ctx context.Context) (*pgxpool.Conn, error) {
	pool, err := db.pool()
	if err != nil {
		return nil, err
	}
	for {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		if idle(conn) < db.pingAfter || ping(ctx, conn) == nil {
			return conn, nil
		}
		discard(conn)
	}
}

func ping(ctx context.Context, conn *pgxpool.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return conn.Ping(ctx)
}

// releasedAt is the key of the time at which a connection was released.
const releasedAt = "walletsync.releasedAt"

// idle is for how long a connection has not been used, 0 if it is new. In a
// function that was frozen one of the two clocks may have stood still.
func idle(conn *pgxpool.Conn) time.Duration {
	released, ok := conn.Conn().PgConn().CustomData()[releasedAt].(time.Time)
	if !ok {
		return 0
	}
	now := time.Now()
	return max(now.Sub(released), now.Round(0).Sub(released.Round(0)))
}

// release gives a connection back to the pool.
func release(conn *pgxpool.Conn) {
	conn.Conn().PgConn().CustomData()[releasedAt] = time.Now()
	conn.Release()
}

// discard closes a connection, and frees its place in the pool at once.
func discard(conn *pgxpool.Conn) {
	c := conn.Hijack()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.Close(ctx) // nothing is lost with it
}

// notConnected reports whether a connection could not be made.
func notConnected(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}

// loginRefused reports whether the server does not know the user or refuses the
// password (class 28).
func loginRefused(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(refused.Code, "28")
}

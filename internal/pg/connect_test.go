package pg_test

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/local/fault/wire"
	local "walletsync/internal/local/pg"
	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/telemetry"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// nowhere is a port of this machine without a listener.
const nowhere = "postgres://shop@127.0.0.1:1/walletsync?sslmode=disable"

// counted returns metrics, and what they hold of failed connections.
func counted(t *testing.T) (*telemetry.Metrics, func() bool) {
	var out bytes.Buffer
	m := telemetry.NewMetrics(&out, "test", time.Now)
	return m, func() bool {
		t.Helper()
		m.Flush()
		return strings.Contains(out.String(), `"ConnectionsFailed":1`)
	}
}

func TestConnectionThatCannotBeMadeIsCountedOnce(t *testing.T) {
	m, failed := counted(t)
	db := pg.New(pg.URL(nowhere), pg.Options{Metrics: m})
	defer db.Close()
	if err := readable(t.Context(), db); err == nil {
		t.Fatal("no error")
	}
	if !failed() {
		t.Error("ConnectionsFailed is not 1")
	}
}

func TestFailedConnectionIsRetriedOnceAndNotCountedIfThatSucceeds(t *testing.T) {
	proxy := listen(t, pgtest.Database(t))
	m, failed := counted(t)
	db := open(t, proxy.URL(), pg.Options{Metrics: m})
	proxy.On(wire.Opened, nil, wire.DoNth(1, wire.Cut))
	if err := readable(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if failed() {
		t.Error("it is counted as failed")
	}
}

func TestEachConnectionIsMadeAsBeforeConnectSays(t *testing.T) {
	refused := errors.New("no token")
	db := pg.New(pg.URL(nowhere), pg.Options{BeforeConnect: func(_ context.Context, c *pgx.ConnConfig) error {
		if c.User != "shop" || c.Password != "" {
			t.Errorf("BeforeConnect got user %q with password %q", c.User, c.Password)
		}
		return refused
	}})
	defer db.Close()
	if err := readable(t.Context(), db); !errors.Is(err, refused) {
		t.Errorf("%v, want %v", err, refused)
	}
}

func TestRefusedLoginRefetchesTheURLAtOnce(t *testing.T) {
	current := pgtest.Database(t)
	u, err := url.Parse(current)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User("rotated_away")
	m, failed := counted(t)
	var asked []bool
	db := pg.New(func(_ context.Context, refetch bool) (string, string, error) {
		asked = append(asked, refetch)
		if refetch {
			return current, "", nil
		}
		return u.String(), "", nil
	}, pg.Options{Metrics: m})
	defer db.Close()
	if err := readable(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 2 || asked[0] || !asked[1] || failed() {
		t.Errorf("the source was asked with refetch = %v", asked)
	}
}

func TestURLThatCannotBeReadIsNotQuoted(t *testing.T) {
	db := pg.New(pg.URL("postgres://shop:hush-hush@[::1/walletsync"), pg.Options{})
	defer db.Close()
	if err := readable(t.Context(), db); err == nil || strings.Contains(err.Error(), "hush-hush") {
		t.Error(err)
	}
}

func listen(t *testing.T, url string) *wire.Proxy {
	t.Helper()
	proxy, err := wire.Listen(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	return proxy
}

// readOnly makes the sessions of the database that begin from now on read-only,
// or not.
func readOnly(t *testing.T, url, onOff string) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	if _, err := db.Exec(t.Context(), `do $$ begin execute format('alter database %I set default_transaction_read_only = `+onOff+`', current_database()); end $$`); err != nil {
		t.Fatal(err)
	}
}

// writable does something that a read-only session refuses, and returns why.
func writable(ctx context.Context, db *pg.DB) error {
	return db.RoundTrip(ctx, func(b *pgx.Batch) { b.Queue(`update walletsync.feed set n = n`) })
}

// readable does something that needs a connection, and returns why it failed.
func readable(ctx context.Context, db *pg.DB) error {
	return db.RoundTrip(ctx, func(b *pgx.Batch) { b.Queue(`select n from walletsync.feed`) })
}

// sent sends one statement whose row is read by scan, and returns how often it
// was sent.
func sent(ctx context.Context, db *pg.DB, scan func(pgx.Row) error, sql string) (times int, err error) {
	err = db.RoundTrip(ctx, func(b *pgx.Batch) {
		times++
		b.Queue(sql).QueryRow(scan)
	})
	return times, err
}

// open returns the database at url, by way of a pool that is closed with the test.
func open(t *testing.T, url string, o pg.Options) *pg.DB {
	db := pg.New(pg.URL(url), o)
	t.Cleanup(db.Close)
	return db
}

func TestConnectionToAReadOnlyServerIsReplaced(t *testing.T) {
	for _, way := range pgtest.Ways {
		t.Run(way.Name, func(t *testing.T) {
			u := pgtest.Database(t)
			readOnly(t, u, "on")
			through := way.To(t, u)
			db := open(t, through, pg.Options{})
			var refused *pgconn.PgError
			if err := writable(t.Context(), db); !errors.As(err, &refused) || refused.Code != "25006" {
				t.Fatalf("while the server is read-only: %v", err)
			}
			readOnly(t, withRuntime(t, u, "default_transaction_read_only=off"), "off")
			if way.Name != "direct" { // its own connections are the pooler's affair: it gives this one up
				endOthers(t, u)
			}
			if err := writable(t.Context(), db); err != nil {
				t.Errorf("the next trip: %v", err)
			}
		})
	}
}

// TestTripIsMadeOnceMoreWhenItsServerTurnsOutReadOnly: the connection was made
// while the server was read-only, and a reader did not notice.
func TestTripIsMadeOnceMoreWhenItsServerTurnsOutReadOnly(t *testing.T) {
	u := pgtest.Database(t)
	readOnly(t, u, "on")
	db := open(t, u, pg.Options{})
	if err := readable(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	readOnly(t, withRuntime(t, u, "default_transaction_read_only=off"), "off")
	if err := writable(t.Context(), db); err != nil {
		t.Error(err)
	}
}

// withRuntime returns the URL with a setting for its sessions.
func withRuntime(t *testing.T, to, setting string) string {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	name, value, _ := strings.Cut(setting, "=")
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// endOthers ends the other sessions of the database.
func endOthers(t *testing.T, to string) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	// A session that ends by itself meanwhile is a warning.
	if _, err := db.Exec(t.Context(), `set log_min_messages = error`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
}

func TestListOfHostsLeadsToTheOneThatTakesWrites(t *testing.T) {
	o, err := local.FromEnvironment(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	u := pgtest.Database(t)
	primary, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(primary.Path, "/")
	o.Settings = map[string]string{"default_transaction_read_only": "on"}
	standby, err := local.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = standby.Stop() }()
	if err := standby.Exec(t.Context(), `set default_transaction_read_only = off`, `create database `+name); err != nil {
		t.Fatal(err)
	}
	second, err := url.Parse(standby.URL(name))
	if err != nil {
		t.Fatal(err)
	}
	list := *primary
	list.Host = second.Host + "," + primary.Host
	db := open(t, withRuntime(t, list.String(), "target_session_attrs=read-write"), pg.Options{})
	if err := writable(t.Context(), db); err != nil {
		t.Error(err)
	}
}

// TestConnectionThatDiedWhileIdleIsReplaced: what is sent on it is answered by
// nothing, not even a reset.
func TestConnectionThatDiedWhileIdleIsReplaced(t *testing.T) {
	proxy := listen(t, pgtest.Database(t))
	m, failed := counted(t)
	db := open(t, proxy.URL(), pg.Options{PingAfter: time.Nanosecond, Metrics: m})
	if err := writable(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	proxy.On(wire.Requested, func(trip wire.Trip) bool { return trip.Conn == 1 }, wire.Do(wire.BlackHole))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := writable(ctx, db); err != nil {
		t.Fatal(err)
	}
	stats := proxy.ConnStats()
	if len(stats) != 2 || stats[0].Syncs != 1 || stats[0].Queries != 1 || stats[1].Syncs != 1 || failed() {
		t.Errorf("%+v, want one trip and a ping on the first connection, one trip on the second", stats)
	}
}

// TestConnectionThatDiesInUseIsReplaced: a connection that was not idle for long
// is not pinged, and hangs for as long as a statement may take.
func TestConnectionThatDiesInUseIsReplaced(t *testing.T) {
	t.Parallel()
	proxy := listen(t, pgtest.Database(t))
	db := open(t, proxy.URL(), pg.Options{StatementTimeout: time.Second})
	if err := writable(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	proxy.On(wire.Requested, func(trip wire.Trip) bool { return trip.Conn == 1 }, wire.Do(wire.BlackHole))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := writable(ctx, db); err != nil {
		t.Error(err)
	}
}

func TestConnectionInUseIsNotPinged(t *testing.T) {
	proxy := listen(t, pgtest.Database(t))
	db := open(t, proxy.URL(), pg.Options{})
	for range 3 {
		if err := writable(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
	if s := proxy.Stats(); s.Queries != 0 || s.RoundTrips != 3 {
		t.Errorf("%+v", s)
	}
}

func TestRowThatCannotBeReadIsReadOnceAndNotQuoted(t *testing.T) {
	proxy := listen(t, pgtest.Database(t))
	db := open(t, proxy.URL(), pg.Options{})
	var n int
	times, err := sent(t.Context(), db, func(r pgx.Row) error { return r.Scan(&n) }, `select '12 Main Street'::text as line`)
	if err == nil || strings.Contains(err.Error(), "Main") || !strings.Contains(err.Error(), `"line"`) {
		t.Errorf("%v", err)
	}
	if err := writable(t.Context(), db); err != nil {
		t.Error(err)
	}
	if c := proxy.Stats().Connections; times != 1 || c != 1 {
		t.Errorf("sent %d times over %d connections", times, c)
	}
}

func TestRefusedDataIsNotQuoted(t *testing.T) {
	db := open(t, pgtest.Database(t), pg.Options{})
	for name, c := range map[string]struct {
		sql, want  string
		unstorable bool
	}{
		"a number":    {`select 'Main Street'::text::numeric`, "22P02", true},
		"a time":      {`select 'Main Street'::text::timestamptz`, "22007", true},
		"a uuid":      {`select 'Main Street'::text::uuid`, "22P02", true},
		"an account":  {`insert into walletsync.charge_permissions (account, id) values ('Main Street', 'Main Street') returning 1`, "23", true},
		"a long name": {`with x as (select string_agg(md5(i::text), '') s from generate_series(1, 1000) i) update walletsync.accounts set merchant_id = x.s from x returning 1`, "54000", true},
		"a table":     {`select 1 from walletsync.nothing`, `relation "walletsync.nothing" does not exist`, false},
	} {
		times, err := sent(t.Context(), db, func(r pgx.Row) error { var s string; return r.Scan(&s) }, c.sql)
		if err == nil || strings.Contains(err.Error(), "Main Street") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if got := pg.Unstorable(err); got != c.unstorable || times != 1 {
			t.Errorf("%s: unstorable %v, sent %d times", name, got, times)
		}
	}
}

//go:build unix

package wire_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"walletsync/internal/local/fault/wire"
	"walletsync/internal/local/pg"
	"walletsync/internal/local/pg/pgtest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// listen starts a proxy in front of a fresh database that has a table t.
func listen(t *testing.T) (p *wire.Proxy, direct string) {
	t.Helper()
	direct = pgtest.New(t, func(ctx context.Context, url string) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "CREATE TABLE t (n int PRIMARY KEY)")
		return err
	}, "wire")
	p, err := wire.Listen(direct)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, direct
}

// connect connects without cached statements, as production does.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	return connectMode(t, url, pgx.QueryExecModeExec)
}

func connectMode(t *testing.T, url string, mode pgx.QueryExecMode) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = mode
	return connectConfig(t, config)
}

func connectConfig(t *testing.T, config *pgx.ConnConfig) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func must(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// rows returns the content of t by a connection that does not use the proxy.
func rows(t *testing.T, direct string) []int32 {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	r, err := conn.Query(t.Context(), "SELECT n FROM t ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(r, pgx.RowTo[int32])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func batch(n int) *pgx.Batch {
	b := &pgx.Batch{}
	for i := range n {
		b.Queue("INSERT INTO t VALUES ($1) -- batch", i)
	}
	return b
}

// difference is the count of what f does.
func difference(p *wire.Proxy, f func()) wire.Stats {
	before := p.Stats()
	f()
	after := p.Stats()
	return wire.Stats{
		Connections: after.Connections - before.Connections,
		RoundTrips:  after.RoundTrips - before.RoundTrips,
		Syncs:       after.Syncs - before.Syncs,
		Queries:     after.Queries - before.Queries,
	}
}

func TestRoundTripsAreCounted(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	var conn *pgx.Conn
	if got, want := difference(p, func() { conn = connect(t, p.URL()) }), (wire.Stats{Connections: 1}); got != want {
		t.Errorf("connecting: %+v, want %+v", got, want)
	}
	cached := connectMode(t, p.URL(), pgx.QueryExecModeCacheStatement)
	for _, tc := range []struct {
		name string
		do   func()
		want wire.Stats
	}{
		{"a statement", func() { must(t, conn, "SELECT $1::int", 1) }, wire.Stats{RoundTrips: 1, Syncs: 1}},
		{"a simple query", func() {
			must(t, conn, "SELECT 1; SELECT 2", pgx.QueryExecModeSimpleProtocol)
		}, wire.Stats{RoundTrips: 1, Queries: 1}},
		{"a batch of one", func() {
			if err := conn.SendBatch(t.Context(), batch(1)).Close(); err != nil {
				t.Error(err)
			}
		}, wire.Stats{RoundTrips: 1, Syncs: 1}},
		{"a batch of a thousand", func() {
			b := &pgx.Batch{}
			for range 1000 {
				b.Queue("SELECT repeat('x', 5000), $1::text", strings.Repeat("y", 5000))
			}
			if err := conn.SendBatch(t.Context(), b).Close(); err != nil {
				t.Error(err)
			}
		}, wire.Stats{RoundTrips: 1, Syncs: 1}},
		{"a transaction of statements one by one", func() {
			must(t, conn, "BEGIN")
			must(t, conn, "INSERT INTO t VALUES ($1)", 100)
			must(t, conn, "COMMIT")
		}, wire.Stats{RoundTrips: 3, Syncs: 1, Queries: 2}},
		{"a statement prepared at first use", func() { must(t, cached, "SELECT $1::int", 1) }, wire.Stats{RoundTrips: 2, Syncs: 2}},
		{"and at its second", func() { must(t, cached, "SELECT $1::int", 1) }, wire.Stats{RoundTrips: 1, Syncs: 1}},
		{"a failing statement", func() {
			if _, err := conn.Exec(t.Context(), "SELECT 1 / $1", 0); err == nil {
				t.Error("no error")
			}
		}, wire.Stats{RoundTrips: 1, Syncs: 1}},
		// The first describes the table.
		{"copied rows", func() {
			source := pgx.CopyFromRows([][]any{{int32(200)}, {int32(201)}})
			if _, err := conn.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n"}, source); err != nil {
				t.Error(err)
			}
		}, wire.Stats{RoundTrips: 2, Syncs: 1, Queries: 1}},
	} {
		if got := difference(p, tc.do); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
	all := p.ConnStats()
	if len(all) != 2 || all[1].RoundTrips != 3 {
		t.Errorf("by connection: %+v", all)
	}
}

func TestFlushedAndPipelinedTripsAreCountedAsTheClientWaits(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	conn := connect(t, p.URL()).PgConn()
	waited := difference(p, func() {
		pipeline := conn.StartPipeline(t.Context())
		pipeline.SendPrepare("s", "SELECT 1", nil)
		pipeline.SendFlushRequest()
		if err := pipeline.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := pipeline.GetResults(); err != nil { // the client has waited
			t.Fatal(err)
		}
		pipeline.SendQueryPrepared("s", nil, nil, nil)
		if err := pipeline.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := pipeline.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if want := (wire.Stats{RoundTrips: 2, Syncs: 1}); waited != want {
		t.Errorf("flush: %+v, want %+v", waited, want)
	}
	hold := p.Hold(wire.Answered, wire.SQL("first"))
	together := difference(p, func() {
		before := p.Stats().Syncs
		pipeline := conn.StartPipeline(t.Context())
		for _, sql := range []string{"SELECT 'first'", "SELECT 'second'"} {
			pipeline.SendQueryParams(sql, nil, nil, nil, nil)
			if err := pipeline.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		for p.Stats().Syncs != before+2 { // the second comes while the first is unanswered
			if t.Context().Err() != nil {
				t.Fatal("the Syncs did not come")
			}
			runtime.Gosched()
		}
		hold.Release(wire.Pass)
		if err := pipeline.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if want := (wire.Stats{RoundTrips: 1, Syncs: 2}); together != want {
		t.Errorf("two Syncs: %+v, want %+v", together, want)
	}
}

func TestTripsAreDistinguishedByTheirSQL(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	type event struct {
		Point wire.Point
		Trip  wire.Trip
	}
	events := make(chan event, 100)
	for _, at := range []wire.Point{wire.Opened, wire.Requested, wire.Answered} {
		p.On(at, nil, func(_ context.Context, trip wire.Trip) wire.Action {
			events <- event{at, trip}
			return wire.Pass
		})
	}
	conn := connectMode(t, p.URL(), pgx.QueryExecModeCacheStatement)
	for range 2 {
		must(t, conn, "SELECT $1::int /* known */", 1)
	}
	if err := conn.PgConn().ExecBatch(t.Context(), rawBatch("SELECT 1 -- a", "SELECT 1 / 0 -- b")).Close(); err == nil {
		t.Fatal("no error")
	}
	trip := func(n int, state string, sql ...string) wire.Trip {
		return wire.Trip{Conn: 1, Number: n, SQL: sql, SQLState: state}
	}
	known := "SELECT $1::int /* known */"
	want := []event{
		{wire.Opened, trip(0, "")},
		{wire.Requested, trip(1, "", known)}, {wire.Answered, trip(1, "", known)}, // prepared
		{wire.Requested, trip(2, "", known)}, {wire.Answered, trip(2, "", known)},
		{wire.Requested, trip(3, "", known)}, {wire.Answered, trip(3, "", known)},
		{wire.Requested, trip(4, "", "SELECT 1 -- a", "SELECT 1 / 0 -- b")},
		{wire.Answered, trip(4, "22012", "SELECT 1 -- a", "SELECT 1 / 0 -- b")},
	}
	var got []event
	for len(got) < len(want) {
		got = append(got, <-events)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func rawBatch(statements ...string) *pgconn.Batch {
	b := &pgconn.Batch{}
	for _, sql := range statements {
		b.ExecParams(sql, nil, nil, nil, nil)
	}
	return b
}

func TestTripCutAtItsRequestIsNotExecuted(t *testing.T) {
	t.Parallel()
	for _, action := range []wire.Action{wire.Cut, wire.BlackHole} {
		p, direct := listen(t)
		p.On(wire.Requested, wire.SQL("-- batch"), wire.Do(action))
		if err := sendLost(t, p, wire.Requested); err == nil {
			t.Errorf("action %d: no error", action)
		}
		if got := rows(t, direct); len(got) != 0 {
			t.Errorf("action %d: the server has %v", action, got)
		}
	}
}

func TestTripCutAtItsAnswerIsExecuted(t *testing.T) {
	t.Parallel()
	for _, action := range []wire.Action{wire.Cut, wire.BlackHole} {
		p, direct := listen(t)
		p.On(wire.Answered, wire.SQL("-- batch"), wire.Do(action))
		if err := sendLost(t, p, wire.Answered); err == nil {
			t.Errorf("action %d: no error", action)
		}
		if got := rows(t, direct); !slices.Equal(got, []int32{0, 1, 2}) {
			t.Errorf("action %d: the server has %v", action, got)
		}
	}
}

// sendLost sends a batch of three whose fate another rule has decided before,
// and gives up shortly after it has come to that point.
func sendLost(t *testing.T, p *wire.Proxy, at wire.Point) error {
	t.Helper()
	conn := connect(t, p.URL())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	return conn.SendBatch(ctx, batch(3)).Close()
}

func TestLostCommitIsCommitted(t *testing.T) {
	t.Parallel()
	p, direct := listen(t)
	conn := connect(t, p.URL())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	p.On(wire.Answered, wire.SQL("commit"), wire.Do(wire.Cut))
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("the client knows of its commit")
	}
	if got := rows(t, direct); !slices.Equal(got, []int32{7}) {
		t.Errorf("the server has %v", got)
	}
}

func TestHeldTripWaitsAloneAndGoesOn(t *testing.T) {
	t.Parallel()
	for _, at := range []wire.Point{wire.Requested, wire.Answered} {
		p, direct := listen(t)
		hold := p.Hold(at, wire.SQL("-- batch"))
		done := make(chan error, 1)
		conn := connect(t, p.URL())
		go func() { done <- conn.SendBatch(t.Context(), batch(3)).Close() }()
		trip, err := hold.Reached(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if trip.Conn != 1 || len(trip.SQL) != 3 {
			t.Errorf("held %+v", trip)
		}
		must(t, connect(t, p.URL()), "SELECT 1 -- another connection goes on")
		if got, want := len(rows(t, direct)), map[wire.Point]int{wire.Requested: 0, wire.Answered: 3}[at]; got != want {
			t.Errorf("held at %d, the server has %d rows, want %d", at, got, want)
		}
		select {
		case err := <-done:
			t.Errorf("held at %d, the client was answered: %v", at, err)
		default:
		}
		hold.Release(wire.Pass)
		hold.Release(wire.Cut) // too late
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := len(rows(t, direct)); got != 3 {
			t.Errorf("released, the server has %d rows", got)
		}
		must(t, conn, "SELECT 1 -- batch, not held: it is not the first")
	}
}

func TestRequestOfADeadClientStillArrives(t *testing.T) {
	t.Parallel()
	p, direct := listen(t)
	hold := p.Hold(wire.Requested, wire.SQL("-- batch"))
	answered := p.Hold(wire.Answered, wire.SQL("-- batch"))
	config, err := pgx.ParseConfig(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	// pgx asks the server to cancel by a connection of its own. The dead do not,
	// and it would race with what is held.
	var dead atomic.Bool
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dead.Load() {
			return nil, errors.New("the client is dead")
		}
		return dial(ctx, network, addr)
	}
	conn := connectConfig(t, config)
	dead.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- conn.SendBatch(ctx, batch(3)).Close() }()
	if _, err := hold.Reached(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err == nil {
		t.Fatal("no error")
	}
	hold.Release(wire.Pass)
	if _, err := answered.Reached(t.Context()); err != nil {
		t.Fatal(err)
	}
	answered.Release(wire.Pass)
	if got := len(rows(t, direct)); got != 3 {
		t.Errorf("the server has %d rows", got)
	}
}

func TestUnreachedHoldEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Hold(wire.Requested, nil).Reached(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestRuleEndsAndNthIsChosen(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	off := p.On(wire.Requested, wire.SQL("-- chosen"), wire.DoNth(2, wire.Cut))
	conn := connect(t, p.URL())
	must(t, conn, "SELECT 1 -- chosen")
	must(t, conn, "SELECT 1 -- other")
	if _, err := conn.Exec(t.Context(), "SELECT 2 -- chosen"); err == nil {
		t.Error("the second passed")
	}
	conn = connect(t, p.URL())
	must(t, conn, "SELECT 3 -- chosen")
	p.On(wire.Requested, nil, wire.DoNth(1, wire.Pass))
	off()
	always := p.On(wire.Requested, nil, wire.Do(wire.Cut))
	always()
	must(t, conn, "SELECT 4 -- chosen")
}

func TestConnectionIsRefusedAndCounted(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	off := p.On(wire.Opened, nil, wire.Do(wire.Cut))
	if _, err := pgx.Connect(t.Context(), p.URL()); err == nil {
		t.Fatal("connected")
	}
	off()
	p.On(wire.Opened, nil, wire.DoNth(1, wire.BlackHole))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := pgx.Connect(ctx, p.URL()); err == nil {
		t.Fatal("connected into a black hole")
	}
	must(t, connect(t, p.URL()), "SELECT 1")
	if got := p.Stats().Connections; got < 3 {
		t.Errorf("%d connections", got)
	}
}

func TestCutPoolConnectsAgain(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	pool, err := pgxpool.New(t.Context(), p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.CutAll()
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a cut connection works")
	}
	conn.Release()
	if _, err := pool.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestTLSAndGSSAreDeclined(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	must(t, connect(t, strings.Replace(p.URL(), "sslmode=disable", "sslmode=prefer", 1)), "SELECT 1")
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, request := range []string{"\x00\x00\x00\x08\x04\xd2\x16\x30", "\x00\x00\x00\x08\x04\xd2\x16\x2f"} { // GSSENCRequest, SSLRequest
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 1)
		if _, err := conn.Read(answer); err != nil || answer[0] != 'N' {
			t.Errorf("answer %q, %v", answer, err)
		}
	}
}

func TestPasswordExchangePasses(t *testing.T) {
	t.Parallel()
	o, err := pg.FromEnvironment(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	o.InMemory = true
	server, err := pg.Start(t.Context(), o) // its own: it is restarted
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Exec(t.Context(),
		"CREATE ROLE clear LOGIN PASSWORD 'secret'",
		"CREATE ROLE scram LOGIN PASSWORD 'secret'",
		"SET password_encryption = 'md5'",
		"CREATE ROLE md5 LOGIN PASSWORD 'secret'",
	); err != nil {
		t.Fatal(err)
	}
	rules := "host all clear all password\nhost all scram all scram-sha-256\nhost all md5 all md5\nhost all all all trust\n"
	if err := os.WriteFile(filepath.Join(server.Dir(), "data", "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := wire.Listen(server.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, role := range []string{"clear", "scram", "md5"} {
		u, err := url.Parse(p.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(role, "secret")
		must(t, connect(t, u.String()), "SELECT 1")
		u.User = url.UserPassword(role, "wrong")
		var pgErr *pgconn.PgError
		if _, err := pgx.Connect(t.Context(), u.String()); !errors.As(err, &pgErr) || pgErr.Code != "28P01" { // invalid_password
			t.Errorf("%s with a wrong password: %v", role, err)
		}
	}
}

func TestCancelRequestPasses(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	conn := connect(t, p.URL())
	done := make(chan error, 1)
	sleeping := make(chan struct{})
	p.On(wire.Requested, wire.SQL("pg_sleep"), func(context.Context, wire.Trip) wire.Action {
		close(sleeping)
		return wire.Pass
	})
	go func() {
		_, err := conn.Exec(t.Context(), "SELECT pg_sleep(60)")
		done <- err
	}()
	<-sleeping
	for { // until the statement runs, a request to cancel it is nothing to the server
		if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			var pgErr *pgconn.PgError
			if !errors.As(err, &pgErr) || pgErr.Code != "57014" { // query_canceled
				t.Errorf("error %v", err)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestLargeAnswerPassesHeldBackOrNot(t *testing.T) {
	t.Parallel()
	p, _ := listen(t)
	conn := connect(t, p.URL())
	want := bytes.Repeat([]byte("z"), 20<<20)
	for range 2 {
		var got []byte
		if err := conn.QueryRow(t.Context(), "SELECT convert_to(repeat('z', $1), 'UTF8')", len(want)).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes", len(got))
		}
		p.On(wire.Answered, nil, wire.Do(wire.Pass)) // from now on answers are kept until they are whole
	}
	source := pgx.CopyFromRows([][]any{{int32(1)}})
	if _, err := conn.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n"}, source); err != nil {
		t.Error(err)
	}
}

func TestNotificationsPassUnasked(t *testing.T) {
	t.Parallel()
	p, direct := listen(t)
	conn := connect(t, p.URL())
	must(t, conn, "LISTEN news")
	must(t, connect(t, direct), "NOTIFY news, 'hello'")
	n, err := conn.WaitForNotification(t.Context())
	if err != nil || n.Payload != "hello" {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestServersLastWordsArrive(t *testing.T) {
	t.Parallel()
	p, direct := listen(t)
	conn := connect(t, p.URL())
	p.On(wire.Answered, nil, wire.Do(wire.Pass))
	pid := conn.PgConn().PID()
	done := make(chan error, 1)
	running := p.Hold(wire.Requested, nil)
	go func() {
		_, err := conn.Exec(t.Context(), "SELECT pg_sleep(60)")
		done <- err
	}()
	if _, err := running.Reached(t.Context()); err != nil {
		t.Fatal(err)
	}
	running.Release(wire.Pass)
	must(t, connect(t, direct), "SELECT pg_terminate_backend($1)", pid)
	var pgErr *pgconn.PgError
	if err := <-done; !errors.As(err, &pgErr) || pgErr.Code != "57P01" { // admin_shutdown
		t.Errorf("error %v", err)
	}
}

func TestInvalidStartupMessageClosesTheConnection(t *testing.T) {
	t.Parallel()
	p, direct := listen(t)
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x04....", "\x00\x00\x00\x09\x00\x03\x00\x00\x00Q\x00\x00\x00\x01"} {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(garbage)); err != nil {
			t.Fatal(err)
		}
		for buf := make([]byte, 512); err == nil; {
			_, err = conn.Read(buf)
		}
		conn.Close()
	}
	if got := rows(t, direct); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if _, err := wire.Listen("postgres://127.0.0.1/x"); err == nil {
		t.Error("listens in front of no port")
	}
}

func TestPgBouncerMayStandOnEitherSide(t *testing.T) {
	t.Parallel()
	p, direct := listen(t)
	bouncer := pgtest.Pooled(t, p.URL()) // client, bouncer, proxy, server
	conn := connect(t, bouncer)
	must(t, conn, "SELECT 1") // the bouncer's connection to the server is there
	if got, want := difference(p, func() {
		if err := conn.SendBatch(t.Context(), batch(50)).Close(); err != nil {
			t.Error(err)
		}
	}), (wire.Stats{RoundTrips: 1, Syncs: 1}); got != want {
		t.Errorf("behind the bouncer: %+v, want %+v", got, want)
	}

	front, err := wire.Listen(pgtest.Pooled(t, direct)) // client, proxy, bouncer, server
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	conn = connect(t, front.URL())
	must(t, conn, "DELETE FROM t")
	if got, want := difference(front, func() {
		if err := conn.SendBatch(t.Context(), batch(50)).Close(); err != nil {
			t.Error(err)
		}
	}), (wire.Stats{RoundTrips: 1, Syncs: 1}); got != want {
		t.Errorf("in front of the bouncer: %+v, want %+v", got, want)
	}
	front.On(wire.Answered, wire.SQL("-- lost"), wire.Do(wire.Cut))
	if _, err := conn.Exec(t.Context(), "DELETE FROM t -- lost"); err == nil {
		t.Error("the answer was not lost")
	}
	if got := rows(t, direct); len(got) != 0 {
		t.Errorf("the server has %v", got)
	}
}

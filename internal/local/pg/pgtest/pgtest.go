//go:build unix

// Package pgtest gives each test a fresh, migrated database in a PostgreSQL
// that the tests of one process share. The server starts when the first test
// asks for it and stops after the last one:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		url := pgtest.New(t, migrate, migrations.Hash())
//		…
//	}
//
// The tests of a process fail together if a statement left a warning in the
// server's log.
//
// With KEEP_POSTGRES=1 the databases of failed tests stay, and the command
// that opens them is printed. POSTGRES_CACHE and POSTGRES_SOURCES are those of
// pg.FromEnvironment.
package pgtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"walletsync/internal/local/pg"

	"github.com/jackc/pgx/v5"
)

// shared is the server of this process. There is one because a test binary
// has one TestMain.
var shared struct {
	main    atomic.Bool // Main runs
	once    sync.Once
	server  *pg.Server
	err     error
	keep    atomic.Bool
	number  atomic.Int64
	mu      sync.Mutex
	sources map[string]*template // by hash
}

type template struct {
	once sync.Once
	name string
	err  error
}

// Main runs the tests, stops the server and exits. It is the whole of a
// TestMain.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has more to do: it returns the exit code.
func Run(m *testing.M) int {
	shared.main.Store(true)
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	return code
}

func stop() error {
	if shared.server == nil {
		return nil
	}
	warned := checkWarnings()
	if !shared.keep.Load() {
		return errors.Join(warned, shared.server.Stop())
	}
	command, err := shared.server.StopAndKeep()
	fmt.Fprintf(os.Stderr, "pgtest: kept %s; to open it:\n  %s\n", shared.server.Dir(), command)
	return errors.Join(warned, err)
}

// checkWarnings fails if a statement made the server log a warning: at a
// merchant's it would do so at each use.
func checkWarnings() error {
	warnings, err := shared.server.Warnings()
	if err != nil {
		return fmt.Errorf("read the server's log: %w", err)
	}
	if len(warnings) > 0 {
		return fmt.Errorf("%d different statements left a warning in the server's log, the first:\n%s", len(warnings), warnings[0])
	}
	return nil
}

// Server returns the server that the tests of this process share. A test that
// stops it needs one of its own, by pg.Start.
func Server(t testing.TB) *pg.Server {
	t.Helper()
	if !shared.main.Load() {
		t.Fatal("this package's TestMain must call pgtest.Main, which stops PostgreSQL after the last test")
	}
	shared.once.Do(func() {
		var o pg.Options
		if o, shared.err = pg.FromEnvironment(os.Getenv); shared.err != nil {
			return
		}
		o.InMemory = !benchmarking()
		o.Progress = func(what string) { fmt.Fprintln(os.Stderr, "pgtest:", what) }
		shared.server, shared.err = pg.Start(context.Background(), o)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// benchmarking reports whether this process was asked for benchmarks, which want
// a disk as production has it, and fill it.
func benchmarking() bool {
	f := flag.Lookup("test.bench")
	return f != nil && f.Value.String() != ""
}

// New returns the URL of a fresh database which migrate has brought up to
// date. The hash stands for what migrate does: databases of the same hash are
// copies of one that was migrated once. The database is dropped after the
// test, with the connections that are still open.
func New(t testing.TB, migrate func(ctx context.Context, url string) error, hash string) string {
	t.Helper()
	server := Server(t)
	source, err := migrated(server, migrate, hash)
	if err != nil {
		t.Fatalf("migrate the template database: %v", err)
	}
	name := fmt.Sprintf("test_%d", shared.number.Add(1))
	ctx := context.Background()
	if err := server.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+source); err != nil {
		t.Fatal(err)
	}
	url := server.URL(name)
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("KEEP_POSTGRES") == "1" {
			shared.keep.Store(true)
			t.Logf("database kept: %s", url)
			return
		}
		if err := server.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return url
}

// Empty returns the URL of a fresh database with nothing in it.
func Empty(t testing.TB) string {
	t.Helper()
	return New(t, func(context.Context, string) error { return nil }, "")
}

// migrated returns the quoted name of the template database of a hash.
func migrated(server *pg.Server, migrate func(ctx context.Context, url string) error, hash string) (string, error) {
	shared.mu.Lock()
	if shared.sources == nil {
		shared.sources = make(map[string]*template)
	}
	source := shared.sources[hash]
	if source == nil {
		source = &template{name: fmt.Sprintf("template_%d_%.40s", len(shared.sources), hash)}
		shared.sources[hash] = source
	}
	shared.mu.Unlock()
	name := pgx.Identifier{source.name}.Sanitize()
	source.once.Do(func() {
		ctx := context.Background()
		url, err := server.CreateDatabase(ctx, source.name)
		if err == nil {
			err = migrate(ctx, url)
		}
		if err == nil {
			// A connection would be in the way of the copying.
			err = server.Exec(ctx, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
		}
		source.err = err
	})
	return name, source.err
}

// Pooled returns the URL that leads to the database by way of PgBouncer. It skips
// the test where there is none.
func Pooled(t testing.TB, url string) string {
	t.Helper()
	b, err := pg.StartBouncer(t.Context(), url)
	if pg.Unavailable(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b.URL()
}

//go:build unix

package pgtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"walletsync/internal/local/pg/pgtest"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func exec1(t *testing.T, url, sql string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	return err
}

func count(t *testing.T, url, sql string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var n int
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEachTestHasItsOwnMigratedDatabase(t *testing.T) {
	var migrations atomic.Int32
	migrate := func(ctx context.Context, url string) error {
		migrations.Add(1)
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
		return err
	}
	hash := fmt.Sprintf("own %p", &migrations) // another one at -count=2
	t.Run("group", func(t *testing.T) {
		for i := range 8 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				url := pgtest.New(t, migrate, hash)
				if err := exec1(t, url, "INSERT INTO t VALUES (10)"); err != nil {
					t.Fatal(err)
				}
				if got := count(t, url, "SELECT sum(n) FROM t"); got != 11 {
					t.Errorf("sum %d, want 11", got)
				}
			})
		}
	})
	if n := migrations.Load(); n != 1 {
		t.Errorf("migrated %d times", n)
	}
}

func TestDatabaseIsDroppedAfterItsTestWithOpenConnections(t *testing.T) {
	var url string
	var conn *pgx.Conn
	t.Run("inner", func(t *testing.T) {
		url = pgtest.Empty(t)
		var err error
		if conn, err = pgx.Connect(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	})
	defer conn.Close(context.Background())
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection still lives")
	}
	if err := exec1(t, url, "SELECT 1"); err == nil {
		t.Error("the database is still there")
	}
}

// rehearse runs one of this binary's tests, made to misbehave, in a process of
// its own.
func rehearse(t *testing.T, test string, env ...string) (output string, err error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), append(env, "PGTEST_REHEARSAL="+test)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func rehearsed(t *testing.T) bool { return os.Getenv("PGTEST_REHEARSAL") == t.Name() }

func TestFailedMigrationFailsEveryTestThatNeedsIt(t *testing.T) {
	if rehearsed(t) {
		for _, name := range []string{"first", "second"} {
			t.Run(name, func(t *testing.T) {
				pgtest.New(t, func(context.Context, string) error { return errors.New("syntax error at or near FORM") }, "x")
			})
		}
		return
	}
	t.Parallel()
	out, err := rehearse(t, t.Name())
	if err == nil || strings.Count(out, "syntax error at or near FORM") != 2 {
		t.Errorf("%v, output:\n%s", err, out)
	}
}

func TestWarningInTheServersLogFailsTheProcess(t *testing.T) {
	if rehearsed(t) {
		statement := os.Getenv("PGTEST_STATEMENT")
		if err := exec1(t, pgtest.Empty(t), statement); err != nil {
			t.Error(err)
		}
		return
	}
	t.Parallel()
	for statement, warns := range map[string]bool{
		"set local statement_timeout = 1000":                          true,
		"select 1;\n\nset local\n statement_timeout = 1000":           false, // one implicit transaction block
		"select set_config('statement_timeout', '1000', true)":        false,
		"do $$ begin raise notice 'WARNING:  not a warning'; end $$":  false,
		"do $$ begin raise warning E'first\\nsecond line'; end\n\n$$": true,
	} {
		out, err := rehearse(t, t.Name(), "PGTEST_STATEMENT="+statement)
		if !strings.Contains(out, "PASS") || (err != nil) != warns || strings.Contains(out, "left a warning") != warns || strings.Contains(out, statement) != warns {
			t.Errorf("%s: %v, output:\n%s", statement, err, out)
		}
	}
}

var keptAt = regexp.MustCompile(`pgtest: kept (\S+);`)

func TestFailedTestsDatabaseIsKeptOnRequest(t *testing.T) {
	if rehearsed(t) {
		pgtest.Empty(t)
		t.Error("failed on purpose")
		return
	}
	t.Parallel()
	for _, keep := range []bool{false, true} {
		out, err := rehearse(t, t.Name(), fmt.Sprintf("KEEP_POSTGRES=%d", map[bool]int{true: 1}[keep]))
		if err == nil {
			t.Fatalf("passed:\n%s", out)
		}
		m := keptAt.FindStringSubmatch(out)
		if (m != nil) != keep {
			t.Fatalf("KEEP_POSTGRES %v:\n%s", keep, out)
		}
		if !keep {
			continue
		}
		defer os.RemoveAll(m[1])
		if _, err := os.Stat(m[1] + "/data/PG_VERSION"); err != nil {
			t.Error(err)
		}
		for _, want := range []string{"database kept: postgres://", "/postgres -D " + m[1]} {
			if !strings.Contains(out, want) {
				t.Errorf("output lacks %q:\n%s", want, out)
			}
		}
	}
}

//go:build unix

package pg

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func options(t *testing.T) Options {
	t.Helper()
	o, err := FromEnvironment(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	o.InMemory = true
	return o
}

func TestAServerIsInMemoryOnlyWhereItIsAskedTo(t *testing.T) {
	t.Parallel()
	o := options(t)
	if s, want := start(t, o), memoryDir(); want != "" && filepath.Dir(s.Dir()) != want {
		t.Errorf("it is in %s, not in %s", s.Dir(), want)
	}
	dir := openTempDir(t)
	o.Dir = dir
	if s := start(t, o); filepath.Dir(s.Dir()) != dir {
		t.Errorf("it is in %s, not in %s", s.Dir(), dir)
	}
	o.Dir, o.InMemory = "", false
	if s := start(t, o); memoryDir() != "" && filepath.Dir(s.Dir()) == memoryDir() {
		t.Errorf("it is in %s without being asked to", s.Dir())
	}
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func query[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestServerServesAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	url, err := s.CreateDatabase(t.Context(), `odd "name"`)
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	if got := query[int](t, conn, "SELECT current_setting('server_version_num')::int / 10000"); got < minVersion {
		t.Errorf("version %d", got)
	}
	if got := query[string](t, conn, "SELECT current_database()"); got != `odd "name"` {
		t.Errorf("database %q", got)
	}
	if got := query[string](t, conn, "SHOW timezone"); got != "UTC" && got != "GMT" {
		t.Errorf("timezone %q", got)
	}
	pid := s.proc.pid()
	for range 2 { // stopping twice is no error
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if exists(s.Dir()) {
		t.Errorf("%s is still there", s.Dir())
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
	if err := s.Restart(t.Context()); err == nil {
		t.Error("restarted after Stop")
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	t.Parallel()
	conn := connect(t, start(t, options(t)).AdminURL())
	if got := query[string](t, conn, "SHOW listen_addresses"); got != "127.0.0.1" {
		t.Errorf("listen_addresses %q", got)
	}
}

func TestServerIsNotRoot(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	info, err := os.Stat(filepath.Join(s.Dir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid == 0 {
		t.Error("postgres runs as root")
	}
}

func TestSettingsReachTheServer(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Settings = map[string]string{"work_mem": "7MB", "application_name": "it's two words", "full_page_writes": "on"}
	conn := connect(t, start(t, o).AdminURL())
	for name, want := range map[string]string{"fsync": "off", "full_page_writes": "on", "synchronous_commit": "on", "work_mem": "7MB"} {
		if got := query[string](t, conn, "SHOW "+name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestCrashKeepsWhatWasCommittedAndNothingElse(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := start(t, options(t))
	url := s.AdminURL()
	conn := connect(t, url)
	for _, sql := range []string{
		"CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)",
		"BEGIN", "INSERT INTO t VALUES (2)",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.StopHard(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "COMMIT"); err == nil {
		t.Fatal("committed on a dead server")
	}
	if _, err := pgx.Connect(ctx, url); err == nil {
		t.Fatal("connected to a dead server")
	}
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if got := query[int](t, connect(t, url), "SELECT sum(n) FROM t"); got != 1 {
		t.Errorf("sum %d, want the committed 1", got)
	}
}

func TestRestartEndsConnections(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	conn := connect(t, s.AdminURL())
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the old connection still lives")
	}
	if err := connect(t, s.AdminURL()).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	if err := s.StopHard(); err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(s.port)
	l, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := s.Restart(t.Context()); !errors.Is(err, errPortTaken) || !strings.Contains(err.Error(), port) {
		t.Errorf("error %v", err)
	}
}

func TestWrongSettingIsReportedInPostgresOwnWords(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Settings = map[string]string{"no_such_setting": "1"}
	s, err := Start(t.Context(), o)
	if err == nil {
		t.Fatal("started", s.Stop())
	}
	if !strings.Contains(err.Error(), `unrecognized configuration parameter "no_such_setting"`) {
		t.Errorf("error %q", err)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := Start(ctx, options(t))
	if err == nil {
		t.Fatal("started", s.Stop())
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %q", err)
	}
}

// TestServerDiesWithItsParent kills a process that runs a server, and starts
// another, which sweeps away what the first has left.
func TestServerDiesWithItsParent(t *testing.T) {
	const role = "PG_TEST_PARENT"
	if os.Getenv(role) != "" {
		s, err := Start(t.Context(), options(t))
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("child " + strconv.Itoa(s.proc.pid()) + " " + s.Dir() + "\n")
		select {}
	}
	t.Parallel()
	parent := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithItsParent$")
	parent.Env = append(os.Environ(), role+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	parent.Stderr = os.Stderr
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer parent.Process.Kill()
	var pid int
	var dir string
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "child" {
			dir = f[2]
			if pid, err = strconv.Atoi(f[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if dir == "" {
		t.Fatal("the parent started no server")
	}
	start(t, options(t))
	if !exists(dir) {
		t.Fatal("another Start swept a living server's folder away")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	if runtime.GOOS == "linux" {
		eventually(t, "postgres dies with its parent", func() bool {
			return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		})
	}
	start(t, options(t))
	if exists(dir) {
		t.Errorf("%s was not swept away", dir)
	}
}

func TestKeptFolderIsOpenedByItsCommand(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := start(t, options(t))
	if err := s.Exec(ctx, "CREATE TABLE kept ()"); err != nil {
		t.Fatal(err)
	}
	command, err := s.StopAndKeep()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(s.Dir())
	start(t, options(t)) // sweeps
	if !exists(s.Dir()) {
		t.Fatal("a kept folder was swept away")
	}
	shell := exec.Command("sh", "-c", strings.Replace(command, "&& ", "&& exec ", 1))
	p, err := startProcess(shell, account{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop(syscall.SIGINT, stopTimeout)
	eventually(t, "the command starts the server: "+command, func() bool {
		return s.Exec(ctx, "SELECT FROM kept") == nil
	})
}

func TestEnvironmentChoosesSources(t *testing.T) {
	t.Parallel()
	env := map[string]string{"POSTGRES_CACHE": "/c", "POSTGRES_SOURCES": " npm,machine "}
	o, err := FromEnvironment(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if o.CacheDir != "/c" || len(o.Sources) != 2 || o.Sources[0] != NPM || o.Sources[1] != Machine {
		t.Errorf("options %+v", o)
	}
	if o, err := FromEnvironment(func(string) string { return "" }); err != nil || o.Sources != nil {
		t.Errorf("empty environment: %+v, %v", o, err)
	}
	if _, err := FromEnvironment(func(string) string { return "cloud" }); err == nil || !strings.Contains(err.Error(), `"cloud"`) {
		t.Errorf("unknown source: %v", err)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := Start(b.Context(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Stop(); err != nil {
			b.Fatal(err)
		}
	}
}

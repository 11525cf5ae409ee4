//go:build unix

// Package pg runs a real PostgreSQL for laptops and tests: it finds one or
// fetches one, starts it on loopback with an empty data directory, and leaves
// nothing behind but its cache. It never asks for root, never installs
// anything on the machine and never sets a password: any client on the
// loopback interface is let in, so it is not for data that matters.
//
// A process that runs as root starts PostgreSQL, which refuses root, as an
// unprivileged user.
package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options choose which PostgreSQL is run, and how. The zero value is right for
// tests.
type Options struct {
	// CacheDir keeps what was fetched and initialised. Empty: the folder
	// walletsync in the user's cache folder (root: in the system's, which
	// the unprivileged user can read).
	CacheDir string
	// Sources are tried in this order. Empty: Sources().
	Sources []Source
	// Dir is the folder in which the server's own is made. Empty: the system's
	// for temporary files.
	Dir string
	// InMemory has that folder on a file system in memory if there is one with
	// room, and no Dir: databases are made and dropped at an eighth of the
	// processor time. For tests, whose databases are many and small.
	InMemory bool
	// Settings are added to PostgreSQL's own, by name. Without fsync=on a
	// committed transaction survives the death of PostgreSQL (StopHard) but not
	// the machine's.
	Settings map[string]string
	// Progress gets in a few words what takes long, as it begins.
	Progress func(string)
}

// FromEnvironment returns the options that a developer may set from outside:
// POSTGRES_CACHE is CacheDir, POSTGRES_SOURCES a comma-separated list of
// Sources.
func FromEnvironment(getenv func(string) string) (Options, error) {
	o := Options{CacheDir: getenv("POSTGRES_CACHE")}
	for name := range strings.SplitSeq(getenv("POSTGRES_SOURCES"), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		s := Source(name)
		if !slices.Contains(Sources(), s) {
			return Options{}, fmt.Errorf("POSTGRES_SOURCES: no source %q; there are %v", name, Sources())
		}
		o.Sources = append(o.Sources, s)
	}
	return o, nil
}

// Server is a PostgreSQL that this process started. Its methods may be called
// concurrently.
type Server struct {
	inst installation
	who  account
	opts Options
	dir  string
	lock *os.File
	port int

	mu   sync.Mutex
	proc *process // nil: stopped
	gone bool     // Stop or StopAndKeep was called
}

const (
	superuser   = "postgres"
	adminDB     = "postgres"
	stopTimeout = 20 * time.Second
	portRetries = 20
)

// Start finds PostgreSQL 15 or newer and starts it. The context bounds the
// start alone; the server runs until Stop, or until this process dies. The
// error says of each source why it could not serve.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	who, err := serverAccount()
	if err != nil {
		return nil, err
	}
	c, err := openCache(o.CacheDir)
	if err != nil {
		return nil, err
	}
	inst, initialised, err := find(ctx, c, who, o)
	if err != nil {
		return nil, err
	}
	if o.InMemory && o.Dir == "" {
		o.Dir = memoryDir()
	}
	s := &Server{inst: inst, who: who, opts: o}
	if s.dir, s.lock, err = newRunDir(who, o.Dir); err != nil {
		return nil, err
	}
	if err := s.setUp(ctx, initialised); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

func (s *Server) setUp(ctx context.Context, initialised string) error {
	copying := exec.CommandContext(ctx, "cp", "-R", initialised, s.data())
	copying.Dir, copying.SysProcAttr = "/", s.who.attributes()
	if _, err := output(copying); err != nil {
		return fmt.Errorf("copy the initialised data directory: %w", err)
	}
	return onFreePort(func(port int) error {
		s.port = port
		return s.launch(ctx)
	})
}

// onFreePort launches something on a free port, and again on another if that
// was taken meanwhile.
func onFreePort(launch func(port int) error) error {
	for range portRetries {
		port, err := freePort()
		if err != nil {
			return err
		}
		if err := launch(port); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return errPortTaken
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Dir is the folder of the server's data directory (data) and log (log).
func (s *Server) Dir() string { return s.dir }

// Version is the server's version and where it came from: "15.18 (machine)".
func (s *Server) Version() string {
	return fmt.Sprintf("%s (%s)", s.inst.version, s.inst.source)
}

// URL returns the address of a database as its superuser.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(superuser),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// AdminURL is the address of the database from which others are created.
func (s *Server) AdminURL() string { return s.URL(adminDB) }

// CreateDatabase creates an empty database and returns its URL.
func (s *Server) CreateDatabase(ctx context.Context, name string) (string, error) {
	if err := s.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return s.URL(name), nil
}

// Exec runs statements one by one, outside any transaction, in the database
// of AdminURL.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.AdminURL())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// Warnings returns the warnings in the server's log, since it was started last,
// that statements of clients caused: each once, with its statement.
func (s *Server) Warnings() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	return warnings(string(text)), nil
}

// logLine is the first line of a message in the log, by the default
// log_line_prefix; more lines of it begin with a tab.
var logLine = regexp.MustCompile(`^\S+ \S+ \S+ \[\d+\] ([A-Z]+):  (.*)`)

func warnings(log string) []string {
	var found []string
	var warning string
	inStatement := false
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\n")
		m := logLine.FindStringSubmatch(line)
		switch {
		case m == nil && inStatement:
			found[len(found)-1] += "\n" + strings.TrimPrefix(line, "\t")
			continue
		case m == nil:
			continue
		case m[1] == "WARNING":
			warning = m[2]
		case m[1] == "STATEMENT" && warning != "":
			found = append(found, warning+"\n"+m[2])
			warning, inStatement = "", true
			continue
		case m[1] == "DETAIL" || m[1] == "HINT" || m[1] == "CONTEXT":
		default:
			warning = ""
		}
		inStatement = false
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Command returns a command that runs one of the programs that came with the
// server, such as pg_dump. Not every source has them all: the error says so.
func (s *Server) Command(ctx context.Context, program string, args ...string) (*exec.Cmd, error) {
	path := s.inst.tool(program)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("PostgreSQL %s came without %s (apt-get install postgresql has it)", s.Version(), program)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = environment
	return cmd, nil
}

// Stop ends the server with its connections and removes its folder. Stopping
// twice is no error.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil
	}
	s.gone = true
	return errors.Join(s.halt(syscall.SIGINT), s.remove())
}

// StopAndKeep stops as Stop does, but keeps the folder, and returns a shell
// command that starts the server on it again.
func (s *Server) StopAndKeep() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return "", errors.New("postgres was stopped before")
	}
	s.gone = true
	return s.shellCommand(), errors.Join(
		s.halt(syscall.SIGINT),
		os.Remove(filepath.Join(s.dir, lockName)), // what has no lock is never swept away
		s.lock.Close())
}

// StopHard ends the server at once, as a crash would: no transaction is
// finished, and Restart begins with recovery. The data stay.
func (s *Server) StopHard() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halt(syscall.SIGQUIT)
}

// Restart starts the server again on its data and its port, after stopping it
// if it runs.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return errors.New("postgres was stopped for good")
	}
	if err := s.halt(syscall.SIGINT); err != nil {
		return err
	}
	var err error
	for range portRetries {
		if err = s.launch(ctx); !errors.Is(err, errPortTaken) {
			return err
		}
		select { // another process uses the port for a moment
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return err
}

var errPortTaken = errors.New("the port is taken")

// launch starts the server and returns when it accepts connections.
func (s *Server) launch(ctx context.Context) error {
	logPath := filepath.Join(s.dir, "log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.inst.tool("postgres"), s.arguments()...)
	cmd.Env, cmd.Dir = environment, "/"
	cmd.Stdout, cmd.Stderr = log, log
	p, err := startProcess(cmd, s.who)
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !s.ready(p.pid()) {
		select {
		case <-tick.C:
		case <-p.done:
			text, _ := os.ReadFile(logPath)
			if strings.Contains(string(text), "Address already in use") {
				return fmt.Errorf("start postgres on port %d: %w", s.port, errPortTaken)
			}
			return fmt.Errorf("start postgres: %w; its log:\n%s", p.err, text)
		case <-ctx.Done():
			_ = p.stop(syscall.SIGKILL, stopTimeout)
			return fmt.Errorf("start postgres: %w", ctx.Err())
		}
	}
	s.proc = p
	return nil
}

// ready reports whether the server of that process accepts connections, by
// the status that it writes to the eighth line of postmaster.pid (PostgreSQL's
// miscadmin.h, LOCK_FILE_LINE_PM_STATUS). A connection would not show it: another
// server may have the port.
func (s *Server) ready(pid int) bool {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func (s *Server) arguments() []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"fsync":                   "off",
		"full_page_writes":        "off",
		"max_connections":         "300",
		// By the statement Warnings knows which warnings are a client's.
		"log_min_error_statement": "warning",
		// The same from every source: not all bring LLVM.
		"jit": "off",
	}
	maps.Copy(settings, s.opts.Settings)
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port)}
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", k+"="+settings[k])
	}
	return args
}

// shellCommand starts the server as launch does, for people.
func (s *Server) shellCommand() string {
	words := []string{"cd", "/", "&&"}
	if s.who.drop {
		words = append(words, "setpriv", "--reuid="+s.who.name, fmt.Sprintf("--regid=%d", s.who.gid), "--clear-groups")
	}
	words = append(words, "env")
	words = append(words, environment...)
	words = append(words, s.inst.tool("postgres"))
	for _, a := range s.arguments() {
		if strings.ContainsFunc(a, func(r rune) bool { return strings.ContainsRune(" '\"$\\;&|<>()*?`", r) }) || a == "" {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// halt stops the process, if it runs; s.mu is held.
func (s *Server) halt(sig syscall.Signal) error {
	if s.proc == nil {
		return nil
	}
	p := s.proc
	s.proc = nil
	return p.stop(sig, stopTimeout)
}

func (s *Server) remove() error {
	return errors.Join(os.RemoveAll(s.dir), s.lock.Close())
}

// freePort returns a port that was free just now. It lies below the ranges
// from which Linux and macOS take ports for outgoing connections, so that it
// is still free after StopHard.
func freePort() (int, error) {
	const low, high = 20000, 32000
	for range 1000 {
		port := low + rand.IntN(high-low)
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port on 127.0.0.1 between %d and %d", low, high)
}

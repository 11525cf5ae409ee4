//go:build unix

package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Bouncer is a PgBouncer in transaction mode, as hosted databases put it in
// front of PostgreSQL.
type Bouncer struct {
	dir    string
	lock   *os.File
	proc   *process
	target *url.URL
	port   int
}

// StartBouncer starts a PgBouncer in front of the server of the database's
// URL. It runs until Stop, or until this process dies.
func StartBouncer(ctx context.Context, databaseURL string) (*Bouncer, error) {
	target, err := url.Parse(databaseURL)
	if err != nil {
		return nil, err
	}
	who, err := serverAccount()
	if err != nil {
		return nil, err
	}
	program, err := findBouncer(ctx, who)
	if err != nil {
		return nil, err
	}
	b := &Bouncer{target: target}
	if b.dir, b.lock, err = newRunDir(who, ""); err != nil {
		return nil, err
	}
	err = onFreePort(func(port int) error {
		b.port = port
		return b.launch(ctx, program, who)
	})
	if err != nil {
		return nil, errors.Join(err, b.remove())
	}
	return b, nil
}

// URL is the database's URL, by way of the bouncer.
func (b *Bouncer) URL() string {
	u := *b.target
	u.Host = b.address()
	return u.String()
}

// Stop ends the bouncer with its connections.
func (b *Bouncer) Stop() error {
	return errors.Join(b.proc.stop(syscall.SIGQUIT, stopTimeout), b.remove())
}

func (b *Bouncer) remove() error { return errors.Join(os.RemoveAll(b.dir), b.lock.Close()) }

func (b *Bouncer) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

func (b *Bouncer) launch(ctx context.Context, program string, who account) error {
	// Any user is let in, as by PostgreSQL itself (see the package's doc).
	config := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 300
ignore_startup_parameters = extra_float_digits
`, b.target.Hostname(), b.target.Port(), superuser, b.port)
	path, logPath := filepath.Join(b.dir, "pgbouncer.ini"), filepath.Join(b.dir, "log")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return err
	}
	if err := who.own(path); err != nil {
		return err
	}
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, path)
	cmd.Env, cmd.Dir = environment, "/"
	cmd.Stdout, cmd.Stderr = log, log
	if b.proc, err = startProcess(cmd, who); err != nil {
		return fmt.Errorf("start pgbouncer: %w", err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := pgconn.Connect(ctx, b.URL()); err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-b.proc.done:
			text, _ := os.ReadFile(logPath)
			if strings.Contains(string(text), "Address already in use") {
				return fmt.Errorf("start pgbouncer on port %d: %w", b.port, errPortTaken)
			}
			return fmt.Errorf("start pgbouncer: %w; its log:\n%s", b.proc.err, text)
		case <-ctx.Done():
			_ = b.proc.stop(syscall.SIGKILL, stopTimeout)
			return fmt.Errorf("start pgbouncer: %w", ctx.Err())
		}
	}
}

// findBouncer returns the PgBouncer of the machine.
func findBouncer(ctx context.Context, who account) (string, error) {
	paths := []string{"/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"}
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		paths = append([]string{path}, paths...)
	}
	for _, path := range paths {
		cmd := exec.CommandContext(ctx, path, "--version")
		cmd.Env, cmd.Dir, cmd.SysProcAttr = environment, "/", who.attributes()
		if _, err := output(cmd); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: there is no PgBouncer here (`apt-get install pgbouncer`, `brew install pgbouncer`)", errUnavailable)
}

// Unavailable reports whether a start failed for want of a client or of the
// network, and not by a fault of ours.
func Unavailable(err error) bool { return errors.Is(err, errUnavailable) }

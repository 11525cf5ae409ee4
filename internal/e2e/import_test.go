package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"walletsync/internal/local/fault/wire"
	"walletsync/internal/local/twin"
)

// command is a running command of the CLI.
type command struct {
	*exec.Cmd
	out, stderr bytes.Buffer
	ended       chan error
}

// cli starts a command in the stack's environment for commands.
func (w *trial) cli(args ...string) *command {
	w.tb.Helper()
	c := &command{Cmd: exec.CommandContext(w.ctx(), w.Binary("walletsync"), args...), ended: make(chan error, 1)}
	c.Env, c.Stdout, c.Stderr = w.Environment(), &c.out, &c.stderr
	if err := c.Start(); err != nil {
		w.tb.Fatal(err)
	}
	go func() { c.ended <- c.Wait() }()
	return c
}

// done waits until the command ends, at most for the given time.
func (w *trial) done(c *command, timeout time.Duration) error {
	w.tb.Helper()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(timeout):
		w.tb.Fatalf("the command has not ended after %v: %s%s", timeout, c.out.String(), c.stderr.String())
		return nil
	}
}

// TestAnImportRespectsTheQuotaAndSurvivesKills imports IMPORT_IDS ids with a quota of 50
// a second. It kills the command while it requests refreshes, the worker while it
// fetches, and the command again while it shows the progress.
func TestAnImportRespectsTheQuotaAndSurvivesKills(t *testing.T) {
	t.Parallel()
	n, quota := size(t, "IMPORT_IDS", 500), twin.Quota{Burst: 50, PerSecond: 50}
	o := unhurried(time.Second, 4)
	o.Visibility = 5 * time.Second
	o.Environment = map[string]string{"LEASE": "16s", "API_TIMEOUT": "10s", "FETCH_LIMIT": "100"}
	w := try(t, o)
	ids := w.buyers(n, twin.Notify{Silent: true})
	w.throttle(quota, 1)
	w.lenient(quota, "IMPORT_IDS")
	list := filepath.Join(t.TempDir(), "ids.csv")
	if err := os.WriteFile(list, []byte("charge_permission_id,note\n"+strings.Join(ids, ",\n")+",\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	// The command is killed after the middle batch, before it gets the answer.
	batches, middle := 0, (n+1999)/2000
	marked := make(chan struct{})
	off := w.wire.On(wire.Answered, wire.SQL("walletsync cli: mark"), func(ctx context.Context, _ wire.Trip) wire.Action {
		if batches++; batches != middle {
			return wire.Pass
		}
		close(marked)
		<-ctx.Done()
		return wire.Cut
	})
	begun := w.now()
	first := w.cli("import", list)
	w.until("the middle batch of requests", func() (bool, error) {
		select {
		case <-marked:
			return true, nil
		default:
			return false, nil
		}
	})
	_ = first.Process.Kill() // SIGKILL
	if err := w.done(first, trialTimeout); err == nil {
		t.Fatal("the command was not killed")
	}
	off()
	before := w.count(`select count(*) from walletsync.refreshes`)
	if want := min(n, 1000*middle); before != want {
		t.Errorf("%d ids had a refresh request when the command was killed, not %d", before, want)
	}

	// Repeat the import with the same list; then kill the worker with calls in flight.
	second := w.cli("import", "--wait", list)
	w.until("a third to be fetched", func() (bool, error) { return w.stored() >= n/3, nil })
	flight := w.atCall(true)
	w.wait(flight)
	w.crash()
	made := w.book.len()
	var flying []string
	rows, err := w.DB.Query(t.Context(), `select id from walletsync.refreshes where lease is not null`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		flying = append(flying, id)
	}
	if len(flying) == 0 || rows.Err() != nil {
		t.Fatalf("the worker had no call in flight (%v)", rows.Err())
	}
	flight.release()
	w.until("two thirds to be fetched", func() (bool, error) { return w.stored() >= 2*n/3, nil })
	_ = second.Process.Kill()
	_ = w.done(second, trialTimeout)
	third := w.cli("import", "--wait", list)
	if err := w.done(third, trialTimeout+time.Duration(n)*time.Second/20); err != nil {
		t.Fatalf("%v\n%s%s", err, third.out.String(), third.stderr.String())
	}
	took := w.now().Sub(begun)
	report := strings.ReplaceAll(third.out.String(), ",", "")
	for _, line := range []string{
		fmt.Sprintf("%d  ids read", n), "0  new: refresh requested", fmt.Sprintf("%d  known before", n), "0  malformed lines",
		fmt.Sprintf("%d  are stored", n), "0  are unknown to Amazon Pay (404)", "0  are pending",
	} {
		if !strings.Contains(report, " "+line) {
			t.Errorf("the report lacks %q:\n%s", line, report)
		}
	}

	// Each id is fetched once, except those in flight when the worker was killed.
	calls := map[string]int{}
	for _, c := range w.book.since(0) {
		calls[c.id]++
		if c.status != 200 {
			t.Errorf("%s was answered with %d", c.id, c.status)
		}
	}
	twice := 0
	for _, id := range ids {
		switch k := calls[id]; {
		case k == 1:
		case k == 2 && slices.Contains(flying, id):
			twice++
		default:
			t.Errorf("%d calls for %s", k, id)
		}
	}
	if k := w.Twin.Stats().Throttled; k > 0 {
		t.Errorf("%d calls were throttled", k)
	}
	least := time.Duration((float64(n) - quota.Burst) / quota.PerSecond * float64(time.Second))
	if took < least {
		t.Errorf("the import took %v; with this quota it needs at least %v", took, least)
	}
	if k := w.count(`select count(*) from walletsync.charge_permission_changes where cause = 'import' and facet = 'first_read'`); k != n {
		t.Errorf("%d first reads by the import", k)
	}
	w.settle()
	w.check()
	keep(t, fmt.Sprintf("%d ids at a quota of %.0f a second: %v, %.1f a second (at least %v)\ncalls: %d, of them %d before the worker was killed; %d were in its hands, %d of them were made twice; 429: 0\n%s%s",
		n, quota.PerSecond, took.Round(time.Second), float64(n)/took.Seconds(), least, len(w.book.since(0)), made, len(flying), twice, third.out.String(), third.stderr.String()))
}

// TestACommandRunsWithTheStacksEnvironment runs commands like make cli, in a shell that
// reads cli.env.
func TestACommandRunsWithTheStacksEnvironment(t *testing.T) {
	s := running(t)
	run := func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `set -a; . "$0"; exec "$@"`, filepath.Join(filepath.Dir(s.CAFile), "cli.env"), s.Binary("walletsync")}, args...)...)
		c.Env = []string{"PATH=" + os.Getenv("PATH")}
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, stderr.String())
		}
		return string(out)
	}
	var names []string
	if err := s.DB.QueryRow(t.Context(), `select array_agg(coalesce(name, '') order by account, charge_permission_id) from back_office.buyers`).Scan(&names); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(run("export", "buyers", "--verbatim"))).ReadAll()
	if err != nil || len(rows) != len(names)+1 {
		t.Fatalf("%d rows of %d, %v", len(rows), len(names), err)
	}
	for i, name := range names {
		if got := rows[i+1][3]; got != name {
			t.Errorf("row %d is of %q, not %q", i+1, got, name)
		}
	}
	const id = "S01-1000003-1000003"
	if document := run("export-person", id); !strings.Contains(document, `"charge_permission_id": "`+id+`"`) || !strings.Contains(document, "Zoé Exemple") || strings.Contains(document, "Erika") {
		t.Errorf("%.500s", document)
	}
}

// stored returns the number of stored charge permissions.
func (w *trial) stored() int {
	w.tb.Helper()
	return w.count(`select count(*) from walletsync.charge_permissions`)
}

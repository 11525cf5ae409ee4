package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/local/aws/awsjson"
	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/fault/link"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// chaos is a trial under load in which one or two parts fail at a time.
type chaos struct {
	*trial
	random *rand.Rand // for the faults; the load has its own
	slept  bool       // idle connections were black-holed
	links  map[string]*link.Link
	disk   string // a small file system for Postgres; empty if there is none

	canary string   // changes after each fault; its notifications are never lost
	load   []string // change all the time; notifications may be lost, late or duplicated
	silent []string // their changes have no notifications
	buyers []string // update their own wallets

	mu       sync.Mutex
	injected map[string]int
	recovery []time.Duration // from the end of a fault to the canary's row
	healed   []time.Duration // from a change without a notification to its row
	trips    map[string]int  // by outcome
	changes  atomic.Int64    // made at Amazon
	dump     string          // a backup; empty: none
	dumped   int64           // the last position in it
}

// chaosTime returns how long to inject faults: CHAOS_TIME, or a default that is long
// enough for most kinds.
func chaosTime(t *testing.T) time.Duration {
	text := os.Getenv("CHAOS_TIME")
	if text == "" {
		return 15 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("CHAOS_TIME: %v", err)
	}
	return d
}

// chaosSeed is CHAOS_SEED, or another one in each run.
func chaosSeed(t *testing.T) uint64 {
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
		return seed
	}
	return rand.Uint64()
}

// The reconciler's interval in chaos, and the sweep's period.
const (
	chaosEvery  = 2 * time.Second
	chaosPeriod = 30 * time.Second
)

// startChaos starts the stack with a proxy before each part.
func startChaos(t *testing.T, seed uint64, disk bool) *chaos {
	t.Helper()
	c := &chaos{random: rand.New(rand.NewPCG(seed, 0)), links: map[string]*link.Link{}, injected: map[string]int{}, trips: map[string]int{}}
	lead := func(part, address string) (string, error) {
		k, err := link.Listen(context.Background(), address)
		if err != nil {
			return "", err
		}
		t.Cleanup(func() { _ = k.Close() })
		c.links[part] = k
		return k.Addr(), nil
	}
	o := stack.Options{
		Visibility: 6 * time.Second, ReconcileEvery: chaosEvery, Source: lambda.QueueSource{Concurrency: 4},
		Link: func(part stack.Part, address string) (string, error) { return lead(string(part), address) },
		Environment: map[string]string{
			"LEASE": "4s", "RETURN_TIMEOUT": "4s", "NOTIFICATION_GRACE_PERIOD": "1h",
			"SWEEP_DAYS": strconv.FormatFloat(chaosPeriod.Hours()/24, 'f', -1, 64),
		},
	}
	if disk {
		c.disk = smallDisk(t)
		o.PostgresDir = c.disk
	}
	o.DatabaseURL = func(address string) (string, error) {
		u, err := url.Parse(address)
		if err != nil {
			return "", err
		}
		u.Host, err = lead("database", u.Host)
		return u.String(), err
	}
	c.trial = try(t, o)
	c.canary = c.trial.buyers(1, twin.Notify{})[0]
	c.load = c.trial.buyers(20, twin.Notify{})
	c.silent = c.trial.buyers(20, twin.Notify{})
	c.buyers = c.trial.buyers(10, twin.Notify{})
	c.until("all buyers to be stored", func() (bool, error) {
		return c.count(`select count(*) from walletsync.charge_permissions`) == len(c.ids), nil
	})
	return c
}

// smallDisk mounts a file system that fills up soon. It needs root and Linux.
func smallDisk(t *testing.T) string {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Log("SKIP a full disk: it takes root on Linux to mount a small one")
		return ""
	}
	dir, err := os.MkdirTemp("", "walletsync-disk-")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=220m,mode=1777", "tmpfs", dir).CombinedOutput(); err != nil {
		_ = os.Remove(dir)
		t.Logf("SKIP a full disk: no file system can be mounted here: %s", out)
		return ""
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
		_ = os.Remove(dir)
	})
	return dir
}

// fault is a failure that lasts until it is ended.
type fault struct {
	name  string
	part  string // has no other fault at the same time
	begin func(context.Context) error
	end   func(context.Context) error
}

func (c *chaos) faults() []fault {
	var faults []fault
	for _, part := range []string{"database", "door", string(stack.QueuePart), string(stack.SecretsPart), string(stack.Amazon)} {
		for _, s := range []link.State{link.Slow, link.Broken, link.Dark} {
			faults = append(faults, fault{"link to " + part + " " + s.String(), part,
				func(context.Context) error { c.links[part].Set(s); return nil },
				func(context.Context) error { c.links[part].Set(link.Up); return nil }})
		}
	}
	nothing := func(context.Context) error { return nil }
	for name, f := range map[string]*lambda.Function{"worker": c.Worker, "receiver": c.Receiver, "return": c.Return, "start": c.Start, "reconciler": c.Reconciler} {
		faults = append(faults, fault{"kill -9 " + name, name, func(context.Context) error { f.Kill(); return nil }, nothing})
	}
	faults = append(faults, fault{"kill -9 of every function", "functions", func(context.Context) error {
		for _, f := range []*lambda.Function{c.Worker, c.Receiver, c.Return, c.Start, c.Reconciler} {
			f.Kill()
		}
		return nil
	}, nothing})
	faults = append(faults, fault{"Secrets Manager is unavailable", string(stack.SecretsPart), c.withoutSecrets,
		func(context.Context) error { c.Secrets.ClearFaults(); return nil }})
	restart := func(ctx context.Context) error { return c.Postgres.Restart(ctx) }
	faults = append(faults,
		fault{"failover to a read-only server", "postgres", func(ctx context.Context) error {
			return c.Postgres.Exec(ctx, `alter database walletsync set default_transaction_read_only = on`,
				`set log_min_messages = error`, `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = 'walletsync'`)
		}, func(ctx context.Context) error { // the server accepts writes again but keeps connections open
			defer c.DB.Reset() // the test's own connections may be read-only
			return c.Postgres.Exec(ctx, `alter database walletsync set default_transaction_read_only = off`)
		}},
		fault{"open connections to the database are black-holed", "database",
			func(context.Context) error { c.links["database"].Forget(); return nil }, nothing},
		fault{"Postgres crashes", "postgres", func(context.Context) error { return c.Postgres.StopHard() }, restart},
		fault{"Postgres restarts", "postgres", restart, nothing})
	if c.disk != "" {
		faults = append(faults, fault{"Postgres's disk is full", "postgres", c.fillDisk, func(ctx context.Context) error {
			if err := os.Remove(filepath.Join(c.disk, "ballast")); err != nil {
				return err
			}
			return c.Postgres.Restart(ctx)
		}})
	}
	for name, f := range map[string]twin.Faults{
		"throttles":           {Calls: []twin.CallFault{{Probability: 0.5, Status: 429}}},
		"fails":               {Calls: []twin.CallFault{{Probability: 0.5, Status: 500}}},
		"fails, having done":  {Calls: []twin.CallFault{{Probability: 0.5, Status: 500, Applied: true}}},
		"breaks connections":  {Calls: []twin.CallFault{{Probability: 0.3, Connection: "reset"}}},
		"answers are lost":    {Calls: []twin.CallFault{{Probability: 0.3, Connection: "reset", Applied: true}}},
		"never answers":       {Calls: []twin.CallFault{{Probability: 0.3, Connection: "silent"}}},
		"is silent":           {Calls: []twin.CallFault{{Connection: "silent"}}},
		"lags, goes back":     {Reads: &twin.StaleReads{Lag: twin.Duration(700 * time.Millisecond), Replicas: 3}},
		"answers undated":     {Calls: []twin.CallFault{{Date: "none"}}},
		"is slow":             {Calls: []twin.CallFault{{Delay: twin.Duration(400 * time.Millisecond)}}},
		"has no certificates": {Calls: []twin.CallFault{{Call: twin.GetSigningCertificate, Status: 503}}},
	} {
		f.Seed = c.random.Uint64()
		f.IPNs = c.lossy()
		faults = append(faults, fault{"Amazon " + name, "amazon", func(context.Context) error { return c.Twin.SetFaults(f) },
			func(context.Context) error { return c.Twin.SetFaults(twin.Faults{IPNs: c.lossy()}) }})
	}
	slices.SortFunc(faults, func(a, b fault) int { return strings.Compare(a.name, b.name) }) // a seed needs a fixed order
	return faults
}

// withoutSecrets makes Secrets Manager refuse every call and ends all processes that
// have cached their secrets.
func (c *chaos) withoutSecrets(context.Context) error {
	c.Secrets.Inject(awsjson.Fault{Status: http.StatusServiceUnavailable})
	for _, f := range []*lambda.Function{c.Worker, c.Receiver, c.Return, c.Start, c.Reconciler} {
		f.Kill()
	}
	return nil
}

// lossy drops, duplicates, delays and reorders some notifications.
func (c *chaos) lossy() []twin.IPNFault {
	return []twin.IPNFault{
		{ID: c.canary, Duplicates: 1},
		{Probability: 0.05, Drop: true},
		{Probability: 0.1, Duplicates: 2},
		{Probability: 0.1, Delay: twin.Duration(800 * time.Millisecond)},
		{Probability: 0.1, Reorder: 3},
	}
}

// fillDisk fills Postgres's disk and then makes it write.
func (c *chaos) fillDisk(ctx context.Context) error {
	f, err := os.Create(filepath.Join(c.disk, "ballast"))
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; size >= 1<<10; size >>= 1 {
		for chunk := make([]byte, size); err == nil; {
			_, err = f.Write(chunk)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		err = nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for range 4 { // forces new segments of WAL; Postgres may crash, as it should
		_, _ = c.DB.Exec(ctx, `select pg_switch_wal()`)
	}
	return nil
}

// rage injects faults for the given time and measures the recovery after each.
func (c *chaos) rage(t *testing.T, duration time.Duration) {
	faults := c.faults()
	end := time.Now().Add(duration)
	c.backUp(t)
	for time.Now().Before(end) {
		if c.dump != "" && c.restores == 0 && time.Until(end) < duration/2 {
			c.restore(t)
		}
		if !c.slept && duration > idleTime*3 && time.Until(end) < duration*3/4 {
			c.blackHoleIdle(t)
		}
		now := []fault{faults[c.random.IntN(len(faults))]}
		if other := faults[c.random.IntN(len(faults))]; c.random.IntN(3) == 0 && other.part != now[0].part {
			now = append(now, other)
		}
		for _, f := range now {
			if err := f.begin(t.Context()); err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			c.injected[f.name]++
		}
		c.pause(t, 500*time.Millisecond+time.Duration(c.random.Int64N(int64(3*time.Second))))
		for _, f := range now {
			if err := f.end(t.Context()); err != nil {
				t.Fatalf("end of %s: %v", f.name, err)
			}
		}
		c.recovers(t, now)
	}
}

// backUp dumps the database, under load.
func (c *chaos) backUp(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dump")
	dump, err := c.Postgres.Command(t.Context(), "pg_dump", "--format=custom", "--file="+file, c.DatabaseURL)
	if err != nil {
		t.Logf("SKIP a restore: %v", err)
		return
	}
	if out, err := dump.CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v: %s", err, out)
	}
	c.dump = file
}

// restore replaces the database with the backup while the functions cannot reach it,
// and runs after-restore, as in the runbook.
func (c *chaos) restore(t *testing.T) {
	t.Helper()
	c.links["database"].Set(link.Broken)
	if err := c.Postgres.Exec(t.Context(), `drop database walletsync with (force)`, `create database walletsync`); err != nil {
		t.Fatal(err)
	}
	restore, err := c.Postgres.Command(t.Context(), "pg_restore", "--exit-on-error", "--dbname="+c.DatabaseURL, c.dump)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("pg_restore: %v: %s", err, out)
	}
	c.until("the restored database to answer", func() (bool, error) {
		err := c.DB.QueryRow(t.Context(), `select n from walletsync.feed`).Scan(&c.dumped)
		return err == nil, err
	})
	direct := c.Secrets.Put("walletsync-direct", `{"url":"`+c.DatabaseURL+`"}`)
	restored := exec.CommandContext(t.Context(), c.Binary("walletsync"), "after-restore", "--no-log")
	restored.Env = append(c.Environment(), "DATABASE_SECRET_ARN="+direct)
	if out, err := restored.CombinedOutput(); err != nil {
		t.Fatalf("walletsync after-restore: %v: %s", err, out)
	}
	c.restores++
	c.book.restored() // notifications recorded since the backup are lost
	c.links["database"].Set(link.Up)
	c.injected["restore of an older backup"]++
	c.recovers(t, []fault{{name: "restore"}})
}

// idleTime is longer than a connection may be idle before it is pinged.
const idleTime = 31 * time.Second

// blackHoleIdle keeps the worker idle until its connections are idle, too, and then
// drops all their data.
func (c *chaos) blackHoleIdle(t *testing.T) {
	t.Helper()
	c.slept = true
	c.Queue.Hold()
	c.pause(t, idleTime)
	c.links["database"].Forget()
	c.Queue.Release()
	const name = "idle connections to the database are black-holed"
	c.injected[name]++
	c.recovers(t, []fault{{name: name}})
}

// recovers changes the canary and waits for its row.
func (c *chaos) recovers(t *testing.T, after []fault) {
	t.Helper()
	var names []string
	for _, f := range after {
		names = append(names, f.name)
	}
	city := fmt.Sprintf("Calm-%d", c.changes.Add(1))
	began := time.Now()
	if _, err := c.Twin.Change(c.canary, []byte(`{"shippingAddress":{"city":"`+city+`"}}`), twin.Notify{}); err != nil {
		t.Fatal(err)
	}
	c.until("the canary's row after "+strings.Join(names, " and "), func() (bool, error) {
		var got string
		err := c.DB.QueryRow(t.Context(), `select shipping_city from walletsync.charge_permissions where id = $1`, c.canary).Scan(&got)
		return got == city, err
	})
	c.recovery = append(c.recovery, time.Since(began))
}

// pause waits for faults to take effect. There is no event to wait for.
func (c *chaos) pause(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// changing changes the load's buyers until ctx ends.
func (c *chaos) changing(ctx context.Context, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 1))
	for n := 0; each(ctx, 60*time.Millisecond); n++ {
		id := c.load[random.IntN(len(c.load))]
		patch := fmt.Sprintf([]string{
			`{"shippingAddress":{"city":"Newtown-%d"}}`, `{"paymentPreferences":[{"paymentDescriptor":"Visa ****%04d (Amazon Pay)"}]}`,
			`{"buyer":{"name":"Ada Example the %dth"}}`}[random.IntN(3)], n)
		if _, err := c.Twin.Change(id, []byte(patch), twin.Notify{Times: 1 + random.IntN(2)}); err != nil {
			return err
		}
		c.changes.Add(1)
	}
	return nil
}

// quiet makes changes without notifications. Each buyer changes again when the last
// change is stored.
func (c *chaos) quiet(ctx context.Context) error {
	type change struct {
		city string
		at   time.Time
	}
	open := map[string]change{}
	for n := 0; each(ctx, 200*time.Millisecond); n++ {
		if id := c.silent[n%len(c.silent)]; open[id].city == "" {
			now := change{fmt.Sprintf("Quietville-%d", n), time.Now()}
			open[id] = now
			if _, err := c.Twin.Change(id, []byte(`{"shippingAddress":{"city":"`+now.city+`"}}`), twin.Notify{Silent: true}); err != nil {
				return err
			}
			c.changes.Add(1)
		}
		rows, err := c.DB.Query(ctx, `select id, shipping_city from walletsync.charge_permissions where id = any($1)`, c.silent)
		if err != nil {
			continue // Postgres is unreachable
		}
		var id, city string
		_, _ = pgx.ForEachRow(rows, []any{&id, &city}, func() error {
			if was := open[id]; was.city == city {
				c.mu.Lock()
				c.healed = append(c.healed, time.Since(was.at))
				c.mu.Unlock()
				delete(open, id)
			}
			return nil
		})
	}
	return nil
}

// updating makes buyers update their wallets, one after another, with the time-outs
// of real buyers.
func (c *chaos) updating(ctx context.Context, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 2))
	key, err := os.ReadFile(c.BearerKeyFile)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	countTrip := func(outcome string) { c.mu.Lock(); c.trips[outcome]++; c.mu.Unlock() }
	for each(ctx, 400*time.Millisecond) {
		var b begun
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.UpdateSessionsURL,
			strings.NewReader(`{"chargePermissionId":"`+c.buyers[random.IntN(len(c.buyers))]+`","update":"both"}`))
		if err != nil {
			return err
		}
		q.Header.Set("Authorization", "Bearer "+string(key))
		got, err := client.Do(q)
		if err != nil {
			countTrip("not begun")
			continue
		}
		err = json.NewDecoder(got.Body).Decode(&b)
		got.Body.Close()
		if got.StatusCode != http.StatusCreated || err != nil {
			countTrip("not begun")
			continue
		}
		address, card := random.IntN(2), random.IntN(2)
		walked, err := c.Twin.Walk(b.Checkout, twin.Choice{Address: &address, Card: &card})
		if err != nil {
			return err
		}
		outcome := "gave up"
		for range 5 {
			q, err := http.NewRequestWithContext(ctx, http.MethodGet, walked.ReturnURL, nil)
			if err != nil {
				return err
			}
			if got, err := client.Do(q); err == nil {
				_, _ = io.Copy(io.Discard, got.Body)
				got.Body.Close()
				if outcome = strconv.Itoa(got.StatusCode); got.StatusCode < 500 {
					break
				}
			}
			if !each(ctx, time.Second) { // the buyer presses reload
				break
			}
		}
		countTrip(outcome)
	}
	return nil
}

// follows reads the feed until ctx ends and checks its order.
func (c *chaos) follows(ctx context.Context, page int, seen *[]int64) error {
	var cursor int64
	for each(ctx, 50*time.Millisecond) {
		rows, err := c.DB.Query(ctx, `select position from back_office.changes_after($1, $2)`, cursor, page)
		if err != nil {
			continue // Postgres is unreachable
		}
		positions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			continue
		}
		for _, p := range positions {
			if p <= cursor {
				return fmt.Errorf("position %d came after %d", p, cursor)
			}
			cursor = p
			*seen = append(*seen, p)
		}
	}
	return nil
}

// each waits for d and reports whether ctx is still active.
func each(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// TestChaos checks the invariants of design.md §2 while parts of the system fail
// under load, and after that.
func TestChaos(t *testing.T) {
	t.Parallel()
	seed := chaosSeed(t)
	t.Logf("CHAOS_SEED=%d", seed)
	c := startChaos(t, seed, os.Getenv("CHAOS_TIME") != "")
	if err := c.Twin.SetFaults(twin.Faults{Seed: seed, IPNs: c.lossy()}); err != nil {
		t.Fatal(err)
	}
	loading, stop := context.WithCancel(t.Context())
	defer stop()
	following, end := context.WithCancel(t.Context())
	defer end()
	var loads, readers sync.WaitGroup
	start := func(group *sync.WaitGroup, what string, do func() error) {
		group.Go(func() {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	start(&loads, "the load", func() error { return c.changing(loading, seed) })
	start(&loads, "changes without notifications", func() error { return c.quiet(loading) })
	for i := range uint64(2) {
		start(&loads, "the buyers", func() error { return c.updating(loading, seed+i) })
	}
	seen := make([][]int64, 2)
	for i, page := range []int{3, 1000} {
		start(&readers, "a reader", func() error { return c.follows(following, page, &seen[i]) })
	}

	c.rage(t, chaosTime(t))

	stop()
	loads.Wait()
	if err := c.Twin.SetFaults(twin.Faults{}); err != nil {
		t.Fatal(err)
	}
	c.converges(t)
	var stored []int64
	rows, err := c.DB.Query(t.Context(), `select position from walletsync.charge_permission_changes order by position`)
	if err == nil {
		stored, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	if err != nil {
		t.Fatal(err)
	}
	c.until("the readers to reach the end", func() (bool, error) {
		var last int64
		err := c.DB.QueryRow(t.Context(), `select n from walletsync.feed`).Scan(&last)
		return err == nil && len(stored) > 0 && stored[len(stored)-1] == last, err
	})
	c.pause(t, time.Second) // the longest interval of a reader
	end()
	readers.Wait()
	for i, s := range seen {
		// Readers have seen changes that the restore removed.
		s = slices.DeleteFunc(s, func(p int64) bool { return c.restores > 0 && p > c.dumped && p < 1<<40 })
		if !slices.Equal(s, stored) {
			t.Errorf("reader %d saw %d of %d changes", i, len(s), len(stored))
		}
	}
	c.ended(t)
	c.recorded(t)
	c.report(t, len(stored))
}

// converges waits until every row equals Amazon's state and no refresh request is
// open, and checks everything else.
func (c *chaos) converges(t *testing.T) {
	t.Helper()
	c.settle()
	c.until("every row to equal Amazon's state", func() (bool, error) {
		// Failed attempts are put off for minutes by now, also after a call that was
		// late on a busy machine. Make them due.
		if _, err := c.DB.Exec(t.Context(), `update walletsync.update_attempts set not_before = clock_timestamp()
			where outcome is null and not_before > clock_timestamp()`); err != nil {
			return false, err
		}
		for _, b := range c.Twin.List() {
			truth := decoded(t, b)
			var there bool
			if err := c.DB.QueryRow(t.Context(), `select raw = $2::jsonb from walletsync.charge_permissions where id = $1`,
				truth["chargePermissionId"], string(b)).Scan(&there); err != nil || !there {
				return false, errors.Join(err, fmt.Errorf("%v: not yet", truth["chargePermissionId"]))
			}
		}
		n := c.count(`select count(*) from walletsync.update_attempts where outcome is null`)
		return n == 0, fmt.Errorf("%d updates have no outcome", n)
	})
	c.settleOften(t)
	history := c.history()
	for _, b := range c.Twin.List() {
		truth := decoded(t, b)
		id := truth["chargePermissionId"].(string)
		var row []byte
		if err := c.DB.QueryRow(t.Context(), `select to_jsonb(p) from walletsync.charge_permissions p where id = $1`, id).Scan(&row); err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		c.compare(id, decoded(t, row), truth)
		if len(history[id]) == 0 {
			t.Errorf("%s has no history", id)
		}
	}
	for _, m := range c.DLQ.Messages() {
		t.Errorf("dead-letter message, reason %s: %s", m.Attributes["reason"].StringValue, m.Body)
	}
}

// settleOften waits for a moment without open refresh requests. The sweep continues.
func (c *chaos) settleOften(t *testing.T) {
	t.Helper()
	c.until("all requests to complete without failure", func() (bool, error) {
		n := c.count(`select count(*) from walletsync.refreshes where wanted <> done or attempts > 0 or last_error is not null`)
		return n == 0, fmt.Errorf("%d are open", n)
	})
}

// ended compares the buyers' updates with their state at Amazon.
func (c *chaos) ended(t *testing.T) {
	t.Helper()
	rows, err := c.DB.Query(t.Context(), `select checkout_session, coalesce(outcome, 'open') from walletsync.update_attempts`)
	if err != nil {
		t.Fatal(err)
	}
	var id, outcome string
	n := 0
	if _, err := pgx.ForEachRow(rows, []any{&id, &outcome}, func() error {
		n++
		s, err := c.Twin.CheckoutSession(id)
		if err != nil {
			return err
		}
		if s.Effective != (outcome == "completed") {
			t.Errorf("checkout session %s is %s here; effective at Amazon: %v", id, outcome, s.Effective)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Error("no buyer returned")
	}
}

// recorded checks that each notification that the receiver accepted is in the inbox.
func (c *chaos) recorded(t *testing.T) {
	t.Helper()
	taken := c.book.messages()
	lost := c.count(`select count(*) from unnest($1::text[]) m where not exists (select from walletsync.notifications where message_id = m)`, taken)
	if lost > 0 || len(taken) == 0 {
		t.Errorf("of %d accepted notifications, %d are neither in the inbox nor in the dead-letter queue", len(taken), lost)
	}
}

// report prints the report.
func (c *chaos) report(t *testing.T, stored int) {
	t.Helper()
	s := c.Twin.Stats().IPNs
	var b strings.Builder
	fmt.Fprintf(&b, "\nfaults injected:\n")
	total := 0
	for _, name := range slices.Sorted(maps.Keys(c.injected)) {
		fmt.Fprintf(&b, "  %4d  %s\n", c.injected[name], name)
		total += c.injected[name]
	}
	fmt.Fprintf(&b, "  %4d  together\n", total)
	fmt.Fprintf(&b, "changes made at Amazon: %d, and by buyers' updates; charge permissions that differ at the end: 0 of %d; changes stored: %d\n", c.changes.Load(), len(c.Twin.List()), stored)
	fmt.Fprintf(&b, "notifications: %d published, %d copies, %d dropped, %d given up by SNS, %d refused, %d accepted; dead-letter messages: %d\n",
		s.Published, s.Copies, s.Dropped, s.GivenUp, s.Refused, s.Delivered, c.DLQ.Stats().Visible)
	fmt.Fprintf(&b, "from a fault's end to the next change's row: %s\n", spread(c.recovery))
	fmt.Fprintf(&b, "from a change without a notification to its row, with a sweep of %v: %s\n", chaosPeriod, spread(c.healed))
	fmt.Fprintf(&b, "buyers' returns by HTTP status: %v", c.trips)
	t.Log(b.String())
}

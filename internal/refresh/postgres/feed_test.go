package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/cli"
	local "walletsync/internal/local/pg"
	server "walletsync/internal/local/pg/pgtest"
	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
)

// feedChanges is how many changes the feed's test writes: FEED_CHANGES, or
// enough to show what is wrong with the other cursors. `make feed` writes 100,000.
func feedChanges(t testing.TB) int64 {
	n, err := strconv.ParseInt(os.Getenv("FEED_CHANGES"), 10, 64)
	if err != nil && os.Getenv("FEED_CHANGES") != "" {
		t.Fatal(err)
	}
	if n == 0 {
		n = 15_000
	}
	return n
}

// feedEntry is a change as a reader sees it: which of its charge permission's
// changes it is.
type feedEntry struct {
	id string
	nr int64
}

// way is a way to follow the changes: a query for those after a cursor. The last
// row has the next cursor.
type way struct {
	name  string
	start []any
	// sql gives id, nr, and the cursor's parts; its parameters are the
	// cursor's parts and the limit of rows.
	sql string
}

// The feed's own cursor, and one that looks as if it would do.
var (
	byPosition = way{"position", []any{int64(0)},
		`select charge_permission_id, (after ->> 'nr')::bigint, position from back_office.changes_after($1, $2)`}
	byTransaction = way{"transaction id", []any{"0", int64(0)},
		`select charge_permission, (after ->> 'nr')::bigint, xid::text as cursor, position from walletsync.charge_permission_changes
		 where (xid, position) > ($1::text::xid8, $2) and xid < pg_snapshot_xmin(pg_current_snapshot()) order by xid, position limit $3`}
)

// follower reads on from its cursor, and keeps what it has read.
type follower struct {
	way    way
	cursor []any
	page   int
	pause  time.Duration
	seen   []feedEntry
}

// follow reads until stop is closed and there is nothing more.
func (f *follower) follow(ctx context.Context, db *pgxpool.Pool, stop <-chan struct{}) error {
	for {
		var last bool
		select {
		case <-stop:
			last = true // the writers have finished, so an empty page is the end
		default:
		}
		n, err := f.read(ctx, db)
		if err != nil {
			return fmt.Errorf("reader by %s: %w", f.way.name, err)
		}
		if n == 0 && last {
			return nil
		}
		select {
		case <-time.After(f.pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read reads one page. The cursor moves with what was read, as it would in the
// transaction in which a consumer does its own work.
func (f *follower) read(ctx context.Context, db *pgxpool.Pool) (int, error) {
	rows, err := db.Query(ctx, f.way.sql, append(slices.Clone(f.cursor), f.page)...)
	if err != nil {
		return 0, err
	}
	before := f.cursor
	page, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) ([]any, error) { return r.Values() })
	if n := len(page); n > 0 && slices.Equal(page[n-1][2:], before) {
		return 0, errors.New("a page ends where the one before it did")
	}
	for _, p := range page {
		f.seen = append(f.seen, feedEntry{p[0].(string), p[1].(int64)})
		f.cursor = p[2:]
	}
	return len(page), err
}

// gaps says what is wrong with what a reader saw, if all changes from those of
// from (exclusive) to those of want were to be seen: each once, those of a charge
// permission in their order.
func gaps(seen []feedEntry, from, want map[string]int64) error {
	var lost, again, turned int
	next := make(map[string]int64, len(want))
	known := make(map[feedEntry]bool, len(seen))
	for _, e := range seen {
		switch {
		case known[e]:
			again++
		case e.nr < next[e.id]:
			turned++
		}
		known[e] = true
		next[e.id] = max(next[e.id], e.nr)
	}
	for id, n := range want {
		for nr := from[id] + 1; nr <= n; nr++ {
			if !known[feedEntry{id, nr}] {
				lost++
			}
		}
	}
	if lost+again+turned == 0 {
		return nil
	}
	return fmt.Errorf("%d changes lost, %d seen again, %d in the wrong order", lost, again, turned)
}

// feedWriters are eight that store changes by the statements of trip 2, in
// transactions of random lengths, some of which are rolled back.
type feedWriters struct {
	db        *pgxpool.Pool
	fence     string
	commit    string
	remaining atomic.Int64
	mu        sync.Mutex
	stored    map[string]int64 // changes committed, by charge permission
}

const feedPermissions = 200

func newFeedWriters(t testing.TB, db *pgxpool.Pool) *feedWriters {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile("sql/" + name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return &feedWriters{db: db, fence: read("fence"), commit: read("commit"), stored: map[string]int64{}}
}

// write stores n changes and more, up to the end of the transactions that are
// under way then.
func (w *feedWriters) write(ctx context.Context, n int64, seed uint64) error {
	w.remaining.Store(n)
	var g errgroup.Group
	for i := range uint64(8) {
		random := mathrand.New(mathrand.NewPCG(seed, i))
		g.Go(func() error {
			for w.remaining.Load() > 0 {
				if err := w.transaction(ctx, random); err != nil {
					return fmt.Errorf("writer %d: %w", i, err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

var errRolledBack = errors.New("rolled back")

func (w *feedWriters) transaction(ctx context.Context, random *mathrand.Rand) error {
	lease := fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64())
	var ids []string
	for range 1 + random.IntN(30) {
		ids = append(ids, fmt.Sprintf("S01-0000000-%07d", random.IntN(feedPermissions)))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	numbers := map[string]int64{}
	err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		// The transaction's id is taken here, long before its place in the feed.
		if _, err := tx.Exec(ctx, `select pg_current_xact_id(), pg_sleep($1)`, float64(random.IntN(4))/1000); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into walletsync.refreshes as r (account, id, lease, lease_until)
			select 'main', id, $1::uuid, 'infinity' from unnest($2::text[]) id order by id
			on conflict (account, id) do update set lease = excluded.lease, lease_until = excluded.lease_until`, lease, ids); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select id, coalesce((select (h.after ->> 'nr')::bigint from walletsync.charge_permission_changes h
				where h.account = 'main' and h.charge_permission = i.id order by h.position desc limit 1), 0)
			from unnest($1::text[]) i (id)`, ids)
		if err != nil {
			return err
		}
		var id string
		var nr int64
		if _, err := pgx.ForEachRow(rows, []any{&id, &nr}, func() error { numbers[id] = nr; return nil }); err != nil {
			return err
		}
		results := make([]any, len(ids))
		for i, id := range ids {
			change := func() map[string]any {
				numbers[id]++
				return map[string]any{"facet": "limit", "before": nil, "after": map[string]int64{"nr": numbers[id]}}
			}
			changes := []any{change()}
			if random.IntN(3) == 0 {
				changes = append(changes, change())
			}
			results[i] = map[string]any{"account": "main", "id": id, "kind": "read", "contradicts_recent": false, "read_at": time.Now(), "cause": "ipn",
				"state": map[string]string{"type": "PaymentMethodOnFile"}, "changes": changes}
		}
		text, err := json.Marshal(results)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, w.fence, lease); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, w.commit, lease, string(text), 5.0, 7.0, 3, nil); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `select pg_sleep($1)`, float64(random.IntN(3))/1000); err != nil {
			return err
		}
		if random.IntN(5) == 0 {
			return errRolledBack
		}
		return nil
	})
	if errors.Is(err, errRolledBack) {
		return nil
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, nr := range numbers {
		// Of two that were committed one after the other, the second may be here first.
		if nr > w.stored[id] {
			w.remaining.Add(w.stored[id] - nr)
			w.stored[id] = nr
		}
	}
	return nil
}

// feedDatabase has the transaction's id beside each change.
func feedDatabase(t testing.TB) *pgxpool.Pool {
	t.Helper()
	db := feedPool(t, pgtest.Database(t))
	if _, err := db.Exec(t.Context(), `alter table walletsync.charge_permission_changes add column xid xid8 not null default pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	return db
}

// feedPool has a connection for each writer and reader.
func feedPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 24
	db, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// threePaces are readers of the feed, one of them slow and one in small steps.
func threePaces() []*follower {
	return []*follower{
		{way: byPosition, cursor: byPosition.start, page: 1000, pause: time.Millisecond},
		{way: byPosition, cursor: byPosition.start, page: 7},
		{way: byPosition, cursor: byPosition.start, page: 10000, pause: 100 * time.Millisecond},
	}
}

// writeAndFollow has n changes written while the readers follow, and returns
// when each has come to the end.
func writeAndFollow(t *testing.T, db *pgxpool.Pool, w *feedWriters, n int64, readers ...*follower) {
	t.Helper()
	written := make(chan struct{})
	g, ctx := errgroup.WithContext(t.Context())
	for _, r := range readers {
		g.Go(func() error { return r.follow(ctx, db, written) })
	}
	g.Go(func() error {
		defer close(written)
		return w.write(ctx, n, pgtest.RandomSeed(t))
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestEveryReaderSeesEveryChangeOnce: eight writers, an unrelated transaction
// that stays open, readers of three paces. A reader by transaction id follows
// the same changes and fails the same check.
func TestEveryReaderSeesEveryChangeOnce(t *testing.T) {
	db := feedDatabase(t)
	unrelated, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unrelated.Rollback(context.Background()) }()
	if _, err := unrelated.Exec(t.Context(), `select pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	w, readers := newFeedWriters(t, db), threePaces()
	other := &follower{way: byTransaction, cursor: byTransaction.start, page: 1000, pause: time.Millisecond}
	writeAndFollow(t, db, w, feedChanges(t), append(readers, other)...)

	var stored int64
	for _, n := range w.stored {
		stored += n
	}
	t.Logf("%d changes", stored)
	if stored < feedChanges(t) {
		t.Errorf("%d changes were stored", stored)
	}
	for _, r := range readers {
		if err := gaps(r.seen, nil, w.stored); err != nil || int64(len(r.seen)) != stored {
			t.Errorf("a reader of %d at a time saw %d of %d changes: %v", r.page, len(r.seen), stored, err)
		}
	}

	if n := len(other.seen); n != 0 {
		t.Errorf("by transaction id: %d changes seen, though an older transaction is open", n)
	}
	if err := unrelated.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); int64(len(other.seen)) < stored; {
		if n, err := other.read(t.Context(), db); err != nil || n == 0 && time.Now().After(end) {
			t.Fatalf("by transaction id: %d of %d changes seen, though nothing is open any more: %v", len(other.seen), stored, err)
		}
	}
	bad := gaps(other.seen, nil, w.stored)
	t.Logf("by transaction id, once nothing else is open: %v", bad)
	if bad == nil || strings.HasSuffix(bad.Error(), " 0 in the wrong order") {
		t.Errorf("by transaction id: %v, though ids are taken long before a place in the history is", bad)
	}
}

// TestASequenceWouldLoseChanges: the same writers and readers, but positions
// come from a sequence, which locks nothing, in place of the counter.
func TestASequenceWouldLoseChanges(t *testing.T) {
	db := feedDatabase(t)
	if _, err := db.Exec(t.Context(), `create sequence walletsync.seq`); err != nil {
		t.Fatal(err)
	}
	w, readers := newFeedWriters(t, db), threePaces()
	const counter = `update walletsync.feed set n = feed.n + k.n from k where k.n > 0 returning feed.n - k.n as base`
	if strings.Count(w.commit, counter) != 1 {
		t.Fatal("commit.sql takes its positions in another way than this test knows")
	}
	w.commit = strings.Replace(w.commit, counter, `select nextval('walletsync.seq') * 1000 as base from k where k.n > 0`, 1)
	// Whether a number shows out of order is up to chance: the writers go on until
	// one did, for so long.
	var bad error
	for range 10 {
		writeAndFollow(t, db, w, 3000, readers...)
		if bad = gaps(readers[0].seen, nil, w.stored); bad != nil && !strings.HasPrefix(bad.Error(), "0 changes lost") {
			break
		}
	}
	t.Logf("by a sequence: %v", bad)
	if bad == nil || strings.HasPrefix(bad.Error(), "0 changes lost") {
		t.Errorf("by a sequence: %v, though its numbers show out of order", bad)
	}
}

// TestReadersGoOnAfterARestore: a dump, more changes, a restore of the dump into
// another cluster. The counter is back where the readers have been before, so
// that they would pass over what is stored next; the command after-restore puts that
// right.
func TestReadersGoOnAfterARestore(t *testing.T) {
	url := pgtest.Database(t)
	db := feedPool(t, url)
	w, readers := newFeedWriters(t, db), threePaces()
	writeAndFollow(t, db, w, 1500, readers...)
	dump := filepath.Join(t.TempDir(), "dump")
	run(t, server.Server(t), "pg_dump", "--format=custom", "--file="+dump, url)
	dumped := maps.Clone(w.stored)
	writeAndFollow(t, db, w, 1500, readers...)
	seen := len(readers[0].seen)

	o, err := local.FromEnvironment(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := local.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fresh.Stop() })
	if err := fresh.Exec(t.Context(), `create role walletsync_reader nologin`, `create role walletsync_reader_masked nologin`); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"restored", "forgotten"} {
		to, err := fresh.CreateDatabase(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		run(t, fresh, "pg_restore", "--exit-on-error", "--dbname="+to, dump)
		db := feedPool(t, to)
		if name == "restored" {
			if _, err := cli.AfterRestore(t.Context(), pgtest.Open(t, to, pg.Options{}), nil, func(string, int, int) {}); err != nil {
				t.Fatal(err)
			}
		}
		after := newFeedWriters(t, db)
		after.stored = maps.Clone(dumped)
		var on []*follower
		for _, r := range readers {
			on = append(on, &follower{way: r.way, cursor: r.cursor, page: r.page, pause: r.pause})
		}
		writeAndFollow(t, db, after, 1500, on...)
		for _, r := range on {
			bad := gaps(r.seen, dumped, after.stored)
			switch {
			case name == "restored" && bad != nil:
				t.Errorf("a reader of %d at a time, after a restore: %v", r.page, bad)
			case name == "forgotten" && bad == nil:
				t.Errorf("a reader of %d at a time, with the counter as restored, lost nothing: this test shows nothing", r.page)
			}
		}
		t.Logf("%s: %d seen before, then %d: %v", name, seen, len(on[0].seen), gaps(on[0].seen, dumped, after.stored))
	}
}

// run runs one of PostgreSQL's own programs, of the server's version.
func run(t *testing.T, s *local.Server, program string, args ...string) {
	t.Helper()
	cmd, err := s.Command(t.Context(), program, args...)
	if err != nil {
		t.Skipf("SKIP: %v", err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
}

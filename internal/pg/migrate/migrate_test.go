package migrate

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/local/pg/pgtest"
	"walletsync/internal/wallet"
	"walletsync/migrations"
)

// thisURL has a process of this test binary be a migrator.
const thisURL = "MIGRATE_THIS"

func TestMain(m *testing.M) {
	url := os.Getenv(thisURL)
	if url == "" {
		pgtest.Main(m)
	}
	done, err := Run(context.Background(), url, "", accounts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(done)
	os.Exit(0)
}

var accounts = []Account{{ID: "main", MerchantID: "A1B2C3D4E5F6G7", Environment: merchant.Live, Region: "EU", LedgerCurrency: "EUR",
	Follow: wallet.DefaultFollowed(), Quotas: wallet.LiveQuotas(), Share: 0.5}}

// migrator is a process that migrates.
type migrator struct {
	cmd         *exec.Cmd
	answer, log bytes.Buffer
}

func start(t *testing.T, url string) *migrator {
	t.Helper()
	m := &migrator{cmd: exec.Command(os.Args[0])}
	m.cmd.Env = append(os.Environ(), thisURL+"="+url)
	m.cmd.Stdout, m.cmd.Stderr = &m.answer, &m.log
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.cmd.Process.Kill(); _ = m.cmd.Wait() })
	return m
}

func (m *migrator) wait(t *testing.T) (done Migrated) {
	t.Helper()
	if err := m.cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, m.log.String())
	}
	if err := json.Unmarshal(m.answer.Bytes(), &done); err != nil {
		t.Fatal(err)
	}
	return done
}

func migrated(t *testing.T, url string) Migrated {
	t.Helper()
	done, err := Run(t.Context(), url, "", accounts)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func do(t *testing.T, c *pgx.Conn, statements string) {
	t.Helper()
	if _, err := c.Exec(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

func column[T any](t *testing.T, c *pgx.Conn, query string, arguments ...any) []T {
	t.Helper()
	rows, err := c.Query(t.Context(), query, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

func one[T any](t *testing.T, c *pgx.Conn, query string, arguments ...any) T {
	t.Helper()
	all := column[T](t, c, query, arguments...)
	if len(all) != 1 {
		t.Fatalf("%s: %d rows", query, len(all))
	}
	return all[0]
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(end) {
			t.Fatalf("waited long for %s", what)
		}
		time.Sleep(10 * time.Millisecond) // another process does it, without a signal to us
	}
}

// provider is goose on the database, to stop at a step.
func provider(t *testing.T, url string) *goose.Provider {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), `create schema if not exists walletsync`); err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithTableName("walletsync.migrations"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// versions are those of the steps, in order.
func versions(t *testing.T) (all []int64) {
	t.Helper()
	for _, s := range provider(t, pgtest.Empty(t)).ListSources() {
		all = append(all, s.Version)
	}
	return all
}

// at returns a database at a version, with the rows that a merchant may have
// stored by then: those of testdata/rows go in at the step that they are named
// after, so later steps find them.
func at(t *testing.T, version int64) string {
	t.Helper()
	url := pgtest.Empty(t)
	p, db := provider(t, url), connect(t, url)
	for _, s := range p.ListSources() {
		if s.Version > version {
			break
		}
		if _, err := p.UpTo(t.Context(), s.Version); err != nil {
			t.Fatal(err)
		}
		rows, err := os.ReadFile(filepath.Join("testdata/rows", s.Path))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		do(t, db, string(rows))
	}
	return url
}

// stored is every row of every table of ours, by table.
func stored(t *testing.T, db *pgx.Conn) map[string][]map[string]any {
	t.Helper()
	all := map[string][]map[string]any{}
	for _, table := range column[string](t, db, `select relname::text from pg_class
		where relnamespace = 'walletsync'::regnamespace and relkind in ('r', 'p') and relname <> 'migrations'`) {
		all[table] = column[map[string]any](t, db, `select to_jsonb(t) from walletsync.`+pgx.Identifier{table}.Sanitize()+` t order by to_jsonb(t)::text`)
	}
	return all
}

// holds reports whether a row has all that an older one had, in columns of
// today.
func holds(row, older map[string]any) bool {
	for name, value := range older {
		if !cmp.Equal(row[name], value) {
			return false
		}
	}
	return true
}

// catalogue is what the database consists of, a line each.
func catalogue(t *testing.T, db *pgx.Conn) []string {
	t.Helper()
	lines := column[string](t, db, `
		with ours as (select oid, nspname from pg_namespace where nspname = 'walletsync' or nspname like 'back\_office%')
		select 'schema ' || nspname || ' ' || coalesce(s.nspacl::text, '') from pg_namespace s where s.oid in (select oid from ours)
		union all
		select 'column ' || c.oid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
		       || case when a.attnotnull then ' not null' else '' end || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
		       || coalesce(' -- ' || col_description(c.oid, a.attnum), '')
		from pg_class c join ours on ours.oid = c.relnamespace
		join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
		where c.relkind in ('r', 'p', 'v', 'm')
		union all
		select 'relation ' || c.oid::regclass || ' ' || c.relkind::text || coalesce(' ' || c.reloptions::text, '') || coalesce(' ' || c.relacl::text, '')
		       || case when c.relkind in ('v', 'm') then ' ' || pg_get_viewdef(c.oid) else '' end
		from pg_class c join ours on ours.oid = c.relnamespace
		union all
		select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(k.oid) || case when convalidated then '' else ' NOT VALID' end
		from pg_constraint k join ours on ours.oid = k.connamespace
		union all
		select 'index ' || pg_get_indexdef(i.indexrelid) || case when i.indisvalid then '' else ' INVALID' end
		from pg_index i join pg_class c on c.oid = i.indexrelid join ours on ours.oid = c.relnamespace
		union all
		select 'trigger ' || pg_get_triggerdef(g.oid) from pg_trigger g join pg_class c on c.oid = g.tgrelid join ours on ours.oid = c.relnamespace where not g.tgisinternal
		union all
		select 'function ' || p.oid::regprocedure || coalesce(' ' || p.proacl::text, '') || ' ' || pg_get_functiondef(p.oid)
		from pg_proc p join ours on ours.oid = p.pronamespace`)
	slices.Sort(lines)
	if len(lines) < 100 {
		t.Fatalf("the catalogue has %d lines: does this test still know where to look?", len(lines))
	}
	return lines
}

// fromEmpty is the catalogue of a database that was migrated from empty.
func fromEmpty(t *testing.T) []string {
	t.Helper()
	return catalogue(t, connect(t, pgtest.New(t, func(ctx context.Context, url string) error {
		_, err := Run(ctx, url, "", nil)
		return err
	}, migrations.Hash())))
}

// complete wants the database to be as one that was migrated from empty, with
// each step applied once.
func complete(t *testing.T, url string) {
	t.Helper()
	db := connect(t, url)
	if diff := cmp.Diff(fromEmpty(t), catalogue(t, db)); diff != "" {
		t.Errorf("it is not as one that was migrated from empty (-empty +this):\n%s", diff)
	}
	steps := column[int64](t, db, `select version_id from walletsync.migrations where is_applied and version_id > 0 order by id`)
	if diff := cmp.Diff(versions(t), steps); diff != "" {
		t.Errorf("the steps applied (-all +these):\n%s", diff)
	}
	free(t, db)
	for _, view := range column[string](t, db, `select oid::regclass::text from pg_class where relkind = 'v' and relnamespace::regnamespace::text like 'back\_office%'`) {
		do(t, db, `select * from `+view)
	}
}

// free fails the test if goose's lock is held.
func free(t *testing.T, db *pgx.Conn) {
	t.Helper()
	if n := one[int](t, db, `select count(*)::int from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`); n != 0 {
		t.Errorf("%d advisory locks are held", n)
	}
}

func TestFromEmptyAndThenNothingIsLeftToDo(t *testing.T) {
	url, all := pgtest.Empty(t), versions(t)
	done := migrated(t, url)
	newest := all[len(all)-1]
	if done.From != 0 || done.To != newest || done.Known != newest || len(done.Applied) != len(all) || done.Accounts != 1 || done.ByHand != "" {
		t.Errorf("%+v", done)
	}
	complete(t, url)
	if again := migrated(t, url); again.From != newest || again.To != newest || len(again.Applied) != 0 {
		t.Errorf("again: %+v", again)
	}
	complete(t, url)
}

func TestAccountsThatLeaveTheConfigurationAreNotedOnce(t *testing.T) {
	url := pgtest.Empty(t)
	other := accounts[0]
	other.ID, other.MerchantID = "other", "OTHER"
	migrated := func(accounts ...Account) (left []string, log string) {
		t.Helper()
		var b syncBuffer
		done, err := Run(zerolog.New(&b).WithContext(t.Context()), url, "", accounts)
		if err != nil {
			t.Fatal(err)
		}
		return done.Left, b.String()
	}
	db := func() string { // the time at which other left
		return column[string](t, connect(t, url), `select coalesce(left_at::text, '') from walletsync.accounts where id = 'other'`)[0]
	}
	if left, _ := migrated(accounts[0], other); left != nil || db() != "" {
		t.Errorf("left: %v, %q", left, db())
	}
	left, log := migrated(accounts[0])
	since := db()
	if !slices.Equal(left, []string{"other"}) || since == "" || !strings.Contains(log, `"accounts":["other"]`) {
		t.Errorf("left: %v, %q, %s", left, since, log)
	}
	if left, _ := migrated(accounts[0]); left != nil || db() != since {
		t.Errorf("noted once more: %v, %q", left, db())
	}
	if left, _ := migrated(accounts[0], other); left != nil || db() != "" {
		t.Errorf("put back: %v, %q", left, db())
	}
}

func TestFromEachVersionEveryRowIsKept(t *testing.T) {
	all := versions(t)
	for i, version := range all[:len(all)-1] {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			url := at(t, version)
			db := connect(t, url)
			before := stored(t, db)
			done, err := Run(t.Context(), url, "", nil) // the accounts, too, stay as they were
			if err != nil {
				t.Fatal(err)
			}
			if done.From != version || len(done.Applied) != len(all)-i-1 {
				t.Errorf("%+v", done)
			}
			after := stored(t, db)
			for table, rows := range before {
				for _, row := range rows {
					if !slices.ContainsFunc(after[table], func(now map[string]any) bool { return holds(now, row) }) {
						t.Errorf("%s lost or changed %v", table, row)
					}
				}
				if len(after[table]) != len(rows) {
					t.Errorf("%s had %d rows, and has %d", table, len(rows), len(after[table]))
				}
			}
			complete(t, url)
		})
	}
}

// TestRowsOfTestdataAreWhatEveryStepMeets: a step that ran only on empty tables
// was not tested. Before a release no database has rows in its tables, so there
// the test only logs it.
func TestRowsOfTestdataAreWhatEveryStepMeets(t *testing.T) {
	files, err := filepath.Glob("testdata/rows/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if _, err := migrations.FS.Open(filepath.Base(f)); err != nil {
			t.Errorf("%s belongs to no step", f)
		}
	}
	lacking := func(version int64) (tables []string) {
		for table, rows := range stored(t, connect(t, at(t, version))) {
			if len(rows) == 0 {
				tables = append(tables, table)
			}
		}
		return tables
	}
	file, err := os.ReadFile("../../../migrations/released")
	if err != nil {
		t.Fatal(err)
	}
	all := versions(t)
	for line := range strings.Lines(string(file)) {
		var released int64
		if n, _ := fmt.Sscan(line, &released); n == 1 && released > 0 {
			if tables := lacking(released); len(tables) > 0 {
				t.Errorf("testdata/rows has nothing for %v, which are released: put a row of each beside the step that makes it", tables)
			}
		}
	}
	if tables := lacking(all[len(all)-1]); len(tables) > 0 {
		t.Logf("testdata/rows has nothing yet for %v", tables)
	}
	if tables := lacking(all[0]); len(tables) > 0 {
		t.Errorf("testdata/rows has nothing for %v", tables)
	}
}

func TestMigratorsAtOnceApplyEachStepOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		from func(t *testing.T) string
	}{
		{"from empty", func(t *testing.T) string { return pgtest.Empty(t) }},
		{"from the first version", func(t *testing.T) string { return at(t, versions(t)[0]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := c.from(t)
			db := connect(t, url)
			// They wait for goose's lock, so that they meet there for certain, and
			// have created nothing before they hold it.
			const lock = 4097083626
			do(t, db, fmt.Sprintf(`select pg_advisory_lock(%d)`, lock))
			both := []*migrator{start(t, url), start(t, url)}
			until(t, "both to come", func() bool {
				return one[int](t, db, `select count(*)::int from pg_stat_activity where datname = current_database() and application_name = 'walletsync migrator'
					and query like '%pg_try_advisory_lock%'`) == 2
			})
			if c.name == "from empty" && one[bool](t, db, `select to_regnamespace('walletsync') is not null`) {
				t.Error("the schema was created outside the lock")
			}
			do(t, db, fmt.Sprintf(`select pg_advisory_unlock(%d)`, lock))
			applied := 0
			for _, m := range both {
				applied += len(m.wait(t).Applied)
			}
			if open := len(versions(t)) - map[string]int{"from the first version": 1}[c.name]; applied != open {
				t.Errorf("together they say to have applied %d steps of %d", applied, open)
			}
			complete(t, url)
		})
	}
}

// TestAMigratorThatIsKilledLeavesNothingHalfDone kills it with SIGKILL at the
// end of each step, before that is committed, and while a statement waits for a
// table that others hold.
func TestAMigratorThatIsKilledLeavesNothingHalfDone(t *testing.T) {
	const (
		table = `lock table walletsync.charge_permissions in access exclusive mode`
		end   = `lock table walletsync.migrations in exclusive mode` // readers pass
	)
	all := versions(t)
	for i, version := range all[:len(all)-1] {
		killed(t, version, fmt.Sprint("at the end of ", all[i+1]), end)
	}
	killed(t, all[0], "within a statement", table) // the second step already needs it
}

func killed(t *testing.T, from int64, name, held string) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		url := at(t, from)
		db, others := connect(t, url), connect(t, url)
		do(t, others, `begin; `+held)
		m := start(t, url)
		const migrators = `select count(*)::int from pg_stat_activity where datname = current_database() and application_name = 'walletsync migrator'`
		until(t, "the migrator to be held up", func() bool { return one[int](t, db, migrators+` and wait_event_type = 'Lock'`) == 1 })
		if err := m.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = m.cmd.Wait()
		// What it waited for is still held: its own locks must not wait for that.
		until(t, "the server to notice", func() bool { return one[int](t, db, migrators) == 0 })
		free(t, db)
		do(t, others, `rollback`)

		reached := one[int64](t, db, `select max(version_id) from walletsync.migrations`)
		if diff := cmp.Diff(catalogue(t, connect(t, at(t, reached))), catalogue(t, db)); diff != "" {
			t.Errorf("it is not as at version %d (-so +this):\n%s", reached, diff)
		}
		if done := migrated(t, url); done.From != reached || done.To != done.Known {
			t.Errorf("%+v", done)
		}
		complete(t, url)
	})
}

// TestAStepMakesWayForThoseWhoWaitBehindIt: someone reads a table for long, as a
// dump does, and a step that changes the table waits for that. Sessions
// that queue behind the step must not wait as long.
func TestAStepMakesWayForThoseWhoWaitBehindIt(t *testing.T) {
	url := at(t, versions(t)[0])
	db, dump := connect(t, url), connect(t, url)
	do(t, dump, `begin; select from walletsync.charge_permissions`)
	var log syncBuffer
	ctx := zerolog.New(&log).WithContext(t.Context())
	type outcome struct {
		done Migrated
		err  error
	}
	steps := fstest.MapFS{"9999_alter.sql": {Data: []byte("-- +goose Up\nalter table walletsync.charge_permissions add column added text;\n")}}
	for _, v := range provider(t, pgtest.Empty(t)).ListSources() {
		text, err := migrations.FS.ReadFile(v.Path)
		if err != nil {
			t.Fatal(err)
		}
		steps[v.Path] = &fstest.MapFile{Data: text}
	}
	ended := make(chan outcome, 1)
	go func() {
		done, err := run(ctx, steps, url, "", accounts)
		ended <- outcome{done, err}
	}()
	until(t, "the step to wait", func() bool {
		return one[int](t, db, `select count(*)::int from pg_stat_activity where datname = current_database() and application_name = 'walletsync migrator' and wait_event_type = 'Lock'`) == 1
	})
	do(t, db, `select from walletsync.charge_permissions`) // returns while the dump goes on
	until(t, "the step to be tried again", func() bool { return strings.Contains(log.String(), "gave up, will retry") })
	do(t, dump, `commit`)
	o := <-ended
	if o.err != nil || o.done.To != o.done.Known {
		t.Fatalf("%+v, %v", o.done, o.err)
	}
	do(t, db, `select added from walletsync.charge_permissions`)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestASchemaOfALaterReleaseIsLeftAlone(t *testing.T) {
	url := pgtest.Empty(t)
	before := migrated(t, url)
	db := connect(t, url)
	do(t, db, `alter table walletsync.charge_permissions add column of_a_later_release text;
		create table walletsync.of_a_later_release (id bigint primary key);
		insert into walletsync.migrations (version_id, is_applied) values (9001, true), (9002, true)`)
	was := catalogue(t, db)
	var log syncBuffer
	done, err := Run(zerolog.New(&log).WithContext(t.Context()), url, "", accounts)
	if err != nil || !strings.Contains(log.String(), `"schema":9002,"known":`) {
		t.Errorf("%v, log %s", err, log.String())
	}
	if done.From != 9002 || done.To != 9002 || done.Known != before.To || len(done.Applied) != 0 || done.Accounts != 1 {
		t.Errorf("%+v", done)
	}
	if diff := cmp.Diff(was, catalogue(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsSayWhatToDoAndNothingElse(t *testing.T) {
	server := pgtest.Server(t)
	if err := server.Exec(t.Context(), `drop role if exists migrate_plain`, `create role migrate_plain login`); err != nil {
		t.Fatal(err)
	}
	database, held := pgtest.Empty(t), at(t, versions(t)[0])
	with := func(raw string, change func(*url.URL)) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	do(t, connect(t, held), `begin; lock table walletsync.charge_permissions in access exclusive mode`)
	const soon, late = 2 * time.Second, time.Minute
	for _, c := range []struct {
		name, url string
		within    time.Duration
		says      []string
	}{
		{"no URL", "postgres://me:hunter2@host:port/x", late, []string{"cannot be read; it must look like postgres://"}},
		{"no server", "postgres://me:hunter2@127.0.0.1:1/x", late, []string{"127.0.0.1", "check the URL in the database's secret"}},
		{"no such database", with(database, func(u *url.URL) { u.Path = "/none" }), late, []string{"3D000", "check the URL"}},
		{"a role with no rights", with(database, func(u *url.URL) { u.User = url.UserPassword("migrate_plain", "hunter2") }), late,
			[]string{"create schema walletsync", "42501", "grant create on database"}},
		{"no time", held, soon, []string{"time-out", "migrate by hand"}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), c.within)
		_, err := Run(ctx, c.url, "", accounts)
		cancel()
		if err == nil {
			t.Errorf("%s: it went well", c.name)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %q does not say %q", c.name, err, says)
			}
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(strings.ToLower(err.Error()), "alter table") {
			t.Errorf("%s: %q says too much", c.name, err)
		}
	}
}

func TestIdleSessionsOfTheFunctionsEnd(t *testing.T) {
	const user = "migrate_functions"
	server := pgtest.Server(t)
	if err := server.Exec(t.Context(), `drop role if exists `+user, `create role `+user+` login`); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ before, want string }{
		"nothing is set":                  {``, "10min"},
		"it is off, and is to stay off":   {`alter role ` + user + ` set idle_session_timeout = 0`, "0"},
		"it is set for the database":      {`alter database %s set idle_session_timeout = '1h'`, "1h"},
		"it is set for the user in it":    {`alter role ` + user + ` in database %s set idle_session_timeout = '2h'`, "2h"},
		"it is set for another one there": {`alter role current_user in database %s set idle_session_timeout = '2h'`, "10min"},
	} {
		t.Run(name, func(t *testing.T) {
			admin := pgtest.Empty(t)
			u, err := url.Parse(admin)
			if err != nil {
				t.Fatal(err)
			}
			if c.before != "" {
				do(t, connect(t, admin), strings.ReplaceAll(c.before, "%s", strings.TrimPrefix(u.Path, "/")))
			}
			defer func() {
				if err := server.Exec(t.Context(), `alter role `+user+` reset all`); err != nil {
					t.Error(err)
				}
			}()
			u.User = url.User(user)
			for range 2 { // it may run again
				if err := endIdleSessions(t.Context(), u.String(), "", nil); err != nil {
					t.Fatal(err)
				}
			}
			conn, err := pgx.Connect(t.Context(), u.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			var got string
			if err := conn.QueryRow(t.Context(), `show idle_session_timeout`).Scan(&got); err != nil || got != c.want {
				t.Errorf("idle_session_timeout is %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestValuesThatTheServerQuotesAreNotPassedOn(t *testing.T) {
	for code, says := range map[string]string{
		"22P02": "a stored value does not fit (SQLSTATE 22P02); the server's log has the row",
		"23514": "Jane Doe (SQLSTATE 23514); the server's log has the row", // names the constraint alone
	} {
		err := explain(fmt.Errorf("failed to execute SQL query %q: %w", "select 'Jane Doe'", &pgconn.PgError{Code: code, Message: "Jane Doe", Detail: "Failing row contains (Jane Doe, Main Street 1)."}))
		if err.Error() != says {
			t.Errorf("%q, want %q", err, says)
		}
	}
	if err := explain(unquoted(fmt.Errorf("failed to execute SQL query %q: %w", "select 'Jane Doe'", errors.Join(fmt.Errorf("read: %w", errors.New("connection reset")))))); err.Error() != "connection reset" {
		t.Errorf("%q", err)
	}
}

package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/console"
	"walletsync/internal/console/view"
	local "walletsync/internal/local/pg"
	"walletsync/internal/local/scale"
	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/wallet"
)

// questions are what a back-office asks, as it would: by id alone, or with the
// account, or joined with its own table.
func questions(t testing.TB) []question {
	byID := func(n, all int) []any { return []any{scale.ID(n)} }
	nothing := func(n, all int) []any { return nil }
	position := func(n, all int) []any { return []any{int64(n) * int64(all)} }
	var out []question
	for _, schema := range []string{"back_office", "back_office_masked"} {
		for _, view := range []string{"shipping_addresses", "billing_addresses", "buyers", "payment_states", "updates", "timeline", "freshness", "refund_and_chargeback_notifications"} {
			out = append(out, question{schema + "." + view, `select * from ` + schema + `.` + view + ` where charge_permission_id = $1`, byID})
		}
		out = append(out,
			question{schema + ".address_as_of", `select * from ` + schema + `.address_as_of($1, now() - interval '1 hour')`, byID},
			question{schema + ".changes_after", `select * from ` + schema + `.changes_after($1, 100)`, position},
			question{schema + ".accounts", `select * from ` + schema + `.accounts`, nothing},
			question{schema + ".feed", `select * from ` + schema + `.feed`, nothing},
		)
	}
	unpushed, err := os.ReadFile("../../feedpush/postgres/sql/unpushed.sql")
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, consoles(t)...)
	return append(out,
		question{"timeline, newest first, with the account", `select * from back_office.timeline where account = 'main' and charge_permission_id = $1 order by position desc limit 20`, byID},
		question{"updates, open ones", `select * from back_office.updates where charge_permission_id = $1 and open order by started_at desc`, byID},
		question{"ten orders with their addresses and payment states", `select o.*, a.city, p.chargeable, p.required_action from shop.orders o
			join back_office.shipping_addresses a on a.charge_permission_id = o.charge_permission_id
			join back_office.payment_states p on p.charge_permission_id = o.charge_permission_id
			where o.id between $1 and $1 + 9`, func(n, _ int) []any { return []any{n % 1000} }},
		question{"the push", string(unpushed), func(int, int) []any { return []any{100} }},
	)
}

// consoles are what the console asks: every statement in sql/ that reads, and the
// reconciler's count, from the beginning and from the middle of a list.
func consoles(t testing.TB) []question {
	t.Helper()
	record := func(more ...any) func(n, all int) []any {
		return func(n, _ int) []any { return append([]any{"main", scale.ID(n)}, more...) }
	}
	search := func(term func(n int) string, more ...any) func(n, all int) []any {
		return func(n, _ int) []any { return append([]any{term(n), "", "", "", 26}, more...) }
	}
	goOn := func(term string, more ...any) func(n, all int) []any {
		return func(n, _ int) []any { return append([]any{term, "", "main", scale.ID(n), 26}, more...) }
	}
	is := func(term string) func(int) string { return func(int) string { return term } }
	args := func(all ...any) func(n, all int) []any { return func(int, int) []any { return all } }
	const anHourAgo, longAgo = "now() - interval '1 hour'", "now() - interval '1 year'"
	at := func(expression string) string { // a time as a parameter has it
		d := map[string]time.Duration{anHourAgo: time.Hour, longAgo: 365 * 24 * time.Hour}[expression]
		return time.Now().Add(-d).UTC().Format(time.RFC3339Nano)
	}
	rows := func(n, _ int) []any {
		accounts, ids := make([]string, 25), make([]string, 25)
		for i := range ids {
			accounts[i], ids[i] = "main", scale.ID(max(0, n-i))
		}
		return []any{accounts, ids}
	}
	var out []question
	asked := map[string]bool{}
	ask := func(file, how string, of func(n, all int) []any) {
		asked[file] = true
		text, err := os.ReadFile("sql/" + file + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, question{"console: " + file + how, string(text), of})
		if masked := strings.ReplaceAll(string(text), "back_office.", "back_office_masked."); masked != string(text) {
			out = append(out, question{"console: " + file + how + ", masked", masked, of})
		}
	}
	ask("search_id", "", search(scale.ID))
	ask("search_id", ", beginning", search(is("B01-0000000-000")))
	ask("search_name", ", one", search(func(n int) string { return fmt.Sprint("buyer ", n) }, 0))
	ask("search_name", ", all", search(is("Buyer"), 0))
	ask("search_name", ", last word", search(func(n int) string { return fmt.Sprint(n) }, 0))
	ask("search_name", ", next page", goOn("buyer", 1))
	ask("search_name", ", next page of last words", goOn("1", 2))
	ask("search_email", "", search(func(n int) string { return fmt.Sprintf("b%d@Example.com", n) }))
	ask("search_email", ", next page", goOn("b"))
	ask("search_postal_code", "", search(func(n int) string { return fmt.Sprintf("%05d", n%100000) }))
	ask("search_postal_code", ", next page", goOn("000"))
	ask("list_state", "", args(wallet.NonChargeable, "infinity", "", "", 26))
	ask("list_state", ", next page", args(wallet.NonChargeable, at(anHourAgo), "main", "B", 26))
	ask("list_state", ", most are", args(wallet.Chargeable, "infinity", "", "", 26))
	ask("list_updated", "", args(at(longAgo), "infinity", "", "", 26))
	ask("list_updated", ", next page", args(at(longAgo), at(anHourAgo), "main", "B", 26))
	ask("list_pending", "", args("infinity", "ffffffff-ffff-ffff-ffff-ffffffffffff", 26))
	ask("list_pending", ", next page", args(at(anHourAgo), "80000000-0000-0000-0000-000000000000", 26))
	ask("list_waiting", "", args("-infinity", "", "", 26))
	ask("list_waiting", ", next page", args(at(anHourAgo), "main", "B", 26))
	ask("list_failing", "", args("-infinity", "", "", 26))
	ask("list_failing", ", next page", args(at(anHourAgo), "main", "B", 26))
	ask("list_stale", "", args(at(anHourAgo), "-infinity", "", "", 26))
	ask("list_stale", ", next page", args(at(anHourAgo), at(longAgo), "main", "B", 26))
	ask("rows", "", rows)
	for _, file := range []string{"shipping", "billing", "buyer", "payment", "freshness"} {
		ask(""+file, "", record())
	}
	ask("timeline", "", record(int64(1)<<62, 31))
	ask("timeline", ", older", record(20_000, 31))
	for _, file := range []string{"updates", "money", "notifications"} {
		ask(""+file, "", record(20))
	}
	ask("hours", "", args(at(anHourAgo)))
	ask("accounts", "", args())
	ask("last_change", "", args())
	ask("count_hours", "", args("main", nil))
	asked["access_log"] = true                              // it inserts
	asked["access_of"], asked["forget_access"] = true, true // TestTheAccessLogIsReadByItsIndexes
	files, err := filepath.Glob("sql/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".sql"); !asked[name] {
			t.Errorf("the plan of %s is not tested", name)
		}
	}
	return out
}

type question struct {
	name, sql string
	args      func(n, changesEach int) []any // for the nth charge permission
}

// inOrder are indexes of which a statement reads the beginning alone: a limit
// stands right above.
var inOrder = []string{"refreshes_longest", "refreshes_failing", "notifications_processed", "notifications_named", "charge_permission_changes_pkey"}

// reads says what is wrong with a plan: a large table that is read in any other
// way than by the columns that find its rows in an index.
func reads(node map[string]any) (wrong []string, tables int) { return readsBelow(node, false) }

func readsBelow(node map[string]any, limited bool) (wrong []string, tables int) {
	index, _ := node["Index Name"].(string)
	if table, ok := node["Relation Name"].(string); ok && pgtest.LargeTables[table] != nil && node["Node Type"] != "ModifyTable" {
		tables++
		condition, _ := node["Index Cond"].(string)
		if node["Node Type"] == "Bitmap Heap Scan" {
			condition, _ = node["Recheck Cond"].(string)
		}
		if !slices.ContainsFunc(pgtest.LargeTables[table], func(column string) bool { return mentions(condition, column) }) &&
			!(limited && slices.Contains(inOrder, index)) {
			wrong = append(wrong, fmt.Sprintf("%s of %s by %q", node["Node Type"], table, condition))
		}
	}
	children, _ := node["Plans"].([]any)
	for _, c := range children {
		w, n := readsBelow(c.(map[string]any), node["Node Type"] == "Limit")
		wrong, tables = append(wrong, w...), tables+n
	}
	return wrong, tables
}

// mentions reports whether a condition compares the column of the table itself,
// which stands first: (id = $1), (position > 5), (ROW(since, id) > ROW($1, $2)).
// An expression of an index, which has parentheses of its own, may stand anywhere.
func mentions(condition, column string) bool {
	return strings.Contains(condition, "("+column+" ") || strings.Contains(condition, `("`+column+`" `) ||
		strings.Contains(condition, "ROW("+column+",") || strings.Contains(column, "(") && strings.Contains(condition, column)
}

// checkPlans fails for each question whose plan reads more than it needs, with
// the question's values and as a prepared statement that forgets them.
func checkPlans(t testing.TB, db *pgx.Conn, s scale.Sizes) {
	t.Helper()
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		if _, err := db.Exec(t.Context(), `set plan_cache_mode = `+mode); err != nil {
			t.Fatal(err)
		}
		for _, q := range questions(t) {
			as(t, db, q)
			var plan []byte
			if err := db.QueryRow(t.Context(), `explain (format json) `+q.sql, q.args(s.Permissions/3, s.Changes)...).Scan(&plan); err != nil {
				t.Fatalf("%s: %v", q.name, err)
			}
			var top []struct{ Plan map[string]any }
			if err := json.Unmarshal(plan, &top); err != nil {
				t.Fatal(err)
			}
			wrong, tables := reads(top[0].Plan)
			if len(wrong) > 0 {
				t.Errorf("%s (%s): %s\n%s", q.name, mode, strings.Join(wrong, ", "), plan)
			}
			if tables == 0 && !strings.HasSuffix(q.name, ".accounts") && !strings.HasSuffix(q.name, ".feed") {
				t.Errorf("%s (%s) reads no large table: %s", q.name, mode, plan)
			}
		}
	}
	if _, err := db.Exec(t.Context(), `reset role; reset plan_cache_mode`); err != nil {
		t.Fatal(err)
	}
}

// as takes the role that asks a question.
func as(t testing.TB, db *pgx.Conn, q question) {
	t.Helper()
	role := "walletsync_reader"
	switch {
	case strings.HasPrefix(q.name, "back_office_masked"):
		role = "walletsync_reader_masked"
	case q.name == "the push", strings.HasPrefix(q.name, "console"):
		role = "none"
	}
	if _, err := db.Exec(t.Context(), `set role `+role); err != nil {
		t.Fatal(err)
	}
}

// TestEveryQuestionIsALookUpInAnIndex at a size at which the planner prefers
// one; BenchmarkBackOffice asks the same of a million.
func TestEveryQuestionIsALookUpInAnIndex(t *testing.T) {
	s := scale.Sizes{Permissions: 5000, Changes: 4}
	checkPlans(t, pgtest.Filled(t, s), s)
}

// BenchmarkBackOffice asks each question at ten thousand charge permissions and
// at SCALE (`make scale`: a million, with ten million changes). Its budgets
// (design, section 7): p95 under 50 ms, and within twice that of ten thousand.
func BenchmarkBackOffice(b *testing.B) {
	small := scale.Sizes{Permissions: 10_000, Changes: 10}
	sizes := []scale.Sizes{small}
	if text := os.Getenv("SCALE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 || n > 10_000_000 {
			b.Fatalf("SCALE is %q; set how many charge permissions there are to be, 1,000 to 10,000,000", text)
		}
		sizes = append(sizes, scale.Sizes{Permissions: n, Changes: 10})
	}
	o, err := local.FromEnvironment(os.Getenv)
	if err != nil {
		b.Fatal(err)
	}
	o.Settings = map[string]string{"max_wal_size": "16GB"}
	server, err := local.Start(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	dbs := make([]*pgx.Conn, len(sizes))
	for i, s := range sizes {
		dbs[i] = pgtest.FilledOn(b, server, s)
		checkPlans(b, dbs[i], s)
		benchmarkPages(b, dbs[i], s)
	}
	for _, q := range questions(b) {
		var of10k time.Duration
		for i, s := range sizes {
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(q.name, " ", "-"), s.Permissions), func(b *testing.B) {
				as(b, dbs[i], q)
				times := ask(b, dbs[i], q, s)
				slices.Sort(times)
				p95, p99 := times[len(times)*95/100], times[len(times)*99/100]
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(milliseconds(p95), "p95-ms")
				b.ReportMetric(milliseconds(p99), "p99-ms")
				b.ReportMetric(50, "budget-ms")
				if s == small {
					of10k = p95
				} else if of10k > 0 {
					b.ReportMetric(float64(p95)/float64(of10k), "x-of-10k")
					b.ReportMetric(2, "budget-x")
				}
			})
		}
	}
}

// consolePages are the console's pages, as a browser asks for them.
var consolePages = []struct {
	name string
	of   func(n int) *http.Request
}{
	{"record", func(n int) *http.Request {
		return httptest.NewRequest("GET", "/console/charge-permissions/main/"+scale.ID(n), nil)
	}},
	{"search by id", func(n int) *http.Request { return searchFor(scale.ID(n)) }},
	{"search by name", func(n int) *http.Request { return searchFor(fmt.Sprint("buyer ", n)) }},
	{"search by a name that all have", func(int) *http.Request { return searchFor("buyer") }},
	{"search by e-mail", func(n int) *http.Request { return searchFor(fmt.Sprintf("b%d@", n)) }},
	{"search by postcode", func(n int) *http.Request { return searchFor(fmt.Sprintf("%05d", n%100000)) }},
	{"list not_chargeable", list(view.NotChargeable)},
	{"list updated_today", list(view.UpdatedToday)},
	{"list update_pending", list(view.UpdatePending)},
	{"list waiting", list(view.Waiting)},
	{"list stale", list(view.Stale)},
	{"list failing", list(view.Failing)},
	{"failures", func(int) *http.Request { return httptest.NewRequest("GET", "/console/failures", nil) }},
	{"overview", func(int) *http.Request { return httptest.NewRequest("GET", "/console/overview?span=7d", nil) }},
}

func list(f view.Filter) func(int) *http.Request {
	return func(int) *http.Request { return httptest.NewRequest("GET", "/console/lists/"+string(f), nil) }
}

func searchFor(term string) *http.Request {
	q := httptest.NewRequest("POST", "/console/search", strings.NewReader(url.Values{"q": {term}}.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return q
}

// bystanders are the parts of the console that stand elsewhere than in Postgres,
// and take no time.
type bystanders struct {
	console.DeadLetters
	console.Refresher
	console.Updates
	console.Persons
	console.Eraser
}

func (bystanders) List(context.Context, int) ([]view.DeadLetter, error) { return nil, nil }
func (bystanders) Count(context.Context) (int, error)                   { return 0, nil }
func (bystanders) Accesses(context.Context, wallet.AccountID, wallet.ChargePermissionID, int) ([]view.Accessed, error) {
	return nil, nil
}
func (bystanders) LogAccess(context.Context, view.Identity, view.Access) error { return nil }

// consoleOn is the console on a database.
func consoleOn(t testing.TB, db *pgx.Conn) func(*http.Request) *httptest.ResponseRecorder {
	t.Helper()
	var none bystanders
	h, err := console.New(console.Options{Store: pgtest.Open(t, db.Config().ConnString(), pg.Options{}), DeadLetters: none, Refresher: none, Updates: none, Persons: none, Eraser: none, Accesses: none, CursorKeys: func(context.Context, bool) ([]string, error) { return []string{"a-key-of-the-tests"}, nil },
		StaleAfter: time.Minute, GracePeriod: 5 * time.Minute, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return func(q *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q.WithContext(view.WithIdentity(q.Context(), view.Identity{Subject: "s", Role: view.RoleAct})))
		return w
	}
}

// benchmarkPages measures whole pages: from the request to the last byte.
func benchmarkPages(b *testing.B, db *pgx.Conn, s scale.Sizes) {
	show := consoleOn(b, db)
	for _, p := range consolePages {
		b.Run(fmt.Sprintf("console-page-%s/%d", strings.ReplaceAll(p.name, " ", "-"), s.Permissions), func(b *testing.B) {
			random := mathrand.New(mathrand.NewPCG(1, uint64(s.Permissions)))
			var times []time.Duration
			one := func() {
				q := p.of(random.IntN(s.Permissions))
				started := time.Now()
				if w := show(q); w.Code != http.StatusOK && w.Code != http.StatusSeeOther {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
				times = append(times, time.Since(started))
			}
			for range 100 {
				one()
			}
			times = nil
			for b.Loop() {
				one()
			}
			for len(times) < 200 {
				one()
			}
			slices.Sort(times)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(milliseconds(times[len(times)*95/100]), "p95-ms")
			b.ReportMetric(50, "budget-ms")
		})
	}
}

// TestEveryPageOfTheConsoleIsShown at the same size, so that the benchmark
// measures pages and no errors.
func TestEveryPageOfTheConsoleIsShown(t *testing.T) {
	s := scale.Sizes{Permissions: 2000, Changes: 4}
	show := consoleOn(t, pgtest.Filled(t, s))
	for _, p := range consolePages {
		w := show(p.of(400))
		// One hit leads to it.
		if w.Code != http.StatusOK && !(w.Code == http.StatusSeeOther && strings.HasSuffix(w.Header().Get("Location"), scale.ID(400))) {
			t.Errorf("%s: %d %s", p.name, w.Code, w.Body)
		}
		if strings.HasPrefix(p.name, "list") && !strings.Contains(w.Body.String(), `class="rows"`) && p.name != "list updated_today" {
			t.Errorf("%s shows nothing", p.name)
		}
	}
}

// ask asks for a thousand random charge permissions, again and again, after a
// round that is not measured: so both sizes are read from memory, not from disk.
func ask(b *testing.B, db *pgx.Conn, q question, s scale.Sizes) (times []time.Duration) {
	random := mathrand.New(mathrand.NewPCG(1, uint64(s.Permissions)))
	args := make([][]any, 1000)
	for i := range args {
		args[i] = q.args(random.IntN(s.Permissions), s.Changes)
	}
	one := func(i int) time.Duration {
		started := time.Now()
		rows, err := db.Query(b.Context(), q.sql, args[i%len(args)]...)
		if err != nil {
			b.Fatal(err)
		}
		for rows.Next() {
		}
		if rows.Err() != nil {
			b.Fatal(rows.Err())
		}
		return time.Since(started)
	}
	for i := range args {
		one(i)
	}
	for b.Loop() {
		times = append(times, one(len(times)))
	}
	for len(times) < len(args) {
		times = append(times, one(len(times)))
	}
	return times
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

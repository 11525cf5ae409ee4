package postgres_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/cli/postgres"
	"walletsync/internal/export"
	local "walletsync/internal/local/pg"
	"walletsync/internal/local/scale"
	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
)

// exported is a list as JSON lines.
func exported(t testing.TB, s *pgtest.Stores, q export.Query, each func(n int)) (lines []string, columns []export.Column) {
	t.Helper()
	var b bytes.Buffer
	w := export.JSONLines(&b)
	n := 0
	err := s.Export(t.Context(), q, func(c []export.Column, _ int) error {
		if columns != nil {
			t.Error("it begins twice")
		}
		columns = c
		return w.Begin(c)
	}, func(cells []export.Cell) error {
		if n++; each != nil {
			each(n)
		}
		return w.Row(cells)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(b.String(), "\n"), func(l string) bool { return l == "" }), columns
}

// scaledStore is a store with as much in it as s says.
func scaledStore(t testing.TB, s scale.Sizes) (*pgtest.Stores, *pgx.Conn) {
	db := pgtest.Filled(t, s)
	return pgtest.Open(t, db.Config().ConnString(), pg.Options{}), db
}

// The views themselves say what an export must hold: all rows, over several
// pages, in the order of the key, and each value as SQL writes it in JSON.
func TestAnExportHoldsEveryRowOfItsView(t *testing.T) {
	t.Parallel() // with a database of its own
	store, db := scaledStore(t, scale.Sizes{Permissions: 5100, Changes: 2})
	if _, err := db.Exec(t.Context(), `
		insert into walletsync.accounts (id, merchant_id, environment, region, ledger_currency, follow_types) values ('aside', 'M9', 'live', 'EU', 'EUR', '{}'), ('empty', 'M8', 'live', 'EU', 'EUR', '{}');
		insert into walletsync.charge_permissions (account, id, type, followed, state, payment_descriptors, stored_at, changed_at, limit_amount, shipping_name, expires_at)
		values ('aside', 'B01-0000000-0000001', '', true, 'Closed', array['Visa "x"', 'a,b', null], now(), now(), 12.50, E'Ada\n"<Example>" \\ 東京', '2030-01-01 00:00:00.123456+02')`); err != nil {
		t.Fatal(err)
	}
	for _, l := range export.Lists {
		for _, masked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, masked %v", l.Name, masked), func(t *testing.T) {
				schema := map[bool]string{false: "back_office", true: "back_office_masked"}[masked]
				lines, columns := exported(t, store, export.Query{List: l, Masked: masked}, nil)
				var key, names []string
				for _, k := range l.Key {
					key = append(key, k.Name)
				}
				for _, c := range columns {
					names = append(names, c.Name)
				}
				if !l.Whole {
					key = append([]string{"account"}, key...)
				}
				rows, err := db.Query(t.Context(), `select row_to_json(v)::text from `+schema+`.`+l.Name+` v order by `+strings.Join(key, ", "))
				if err != nil {
					t.Fatal(err)
				}
				want, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					t.Fatal(err)
				}
				if len(lines) != len(want) || len(want) == 0 {
					t.Fatalf("%d rows, the view has %d", len(lines), len(want))
				}
				for i := range want {
					if lines[i] == want[i] {
						continue
					}
					if a, b := plain(t, lines[i]), plain(t, want[i]); !reflect.DeepEqual(a, b) {
						t.Fatalf("row %d is\n%s\nnot\n%s", i, lines[i], want[i])
					}
				}
				var contract []string
				if err := db.QueryRow(t.Context(), `select array_agg(column_name::text order by ordinal_position) from information_schema.columns where table_schema = $1 and table_name = $2`, schema, l.Name).Scan(&contract); err != nil || !slices.Equal(names, contract) {
					t.Errorf("columns %v, the view has %v (%v)", names, contract, err)
				}
			})
		}
	}
	views, err := db.Query(t.Context(), `select table_name::text from information_schema.views where table_schema = 'back_office'`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(views, pgx.RowTo[string])
	if err != nil || len(all) != len(export.Lists) {
		t.Errorf("the schema has the views %v; package export lists %d (%v)", all, len(export.Lists), err)
	}
	for _, name := range all {
		if _, ok := export.Named(name); !ok {
			t.Errorf("the view %s cannot be exported: add it to export.Lists", name)
		}
	}
}

// plain is a row with its times in one form.
func plain(t testing.TB, line string) map[string]any {
	t.Helper()
	var row map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&row); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for k, v := range row {
		if text, ok := v.(string); ok {
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				row[k] = at.UTC()
			}
		}
	}
	return row
}

func TestFiltersNarrowAnExport(t *testing.T) {
	store, db := scaledStore(t, scale.Sizes{Permissions: 1000, Changes: 2})
	var completed int
	if err := db.QueryRow(t.Context(), `select count(*) from walletsync.update_sessions where state = 'completed'`).Scan(&completed); err != nil || completed < 100 {
		t.Fatal(completed, err)
	}
	for _, c := range []struct {
		list string
		of   export.Filters
		want int
	}{
		{"payment_states", export.Filters{}, 1000},
		{"payment_states", export.Filters{Account: "main"}, 1000},
		{"payment_states", export.Filters{Account: "other"}, 0},
		{"payment_states", export.Filters{State: "Closed"}, 10},
		{"payment_states", export.Filters{ChargePermission: "B07-0000000-0000007"}, 1},
		{"payment_states", export.Filters{ChargePermission: "B07-0000000-0000007", State: "Chargeable"}, 0},
		{"payment_states", export.Filters{Since: time.Now().Add(-25 * time.Hour)}, 1000},
		{"payment_states", export.Filters{Since: time.Now().Add(-time.Hour)}, 0},
		{"timeline", export.Filters{Account: "main", ChargePermission: "B07-0000000-0000007"}, 2},
		{"timeline", export.Filters{Since: time.Now().Add(-1000*time.Second - 500*time.Millisecond)}, 1000},
		{"updates", export.Filters{State: "completed"}, completed},
		{"refund_and_chargeback_notifications", export.Filters{Since: time.Now().Add(-time.Hour)}, 250},
		{"accounts", export.Filters{Account: "main"}, 1},
		{"feed", export.Filters{}, 1},
	} {
		list, _ := export.Named(c.list)
		lines, columns := exported(t, store, export.Query{List: list, Filters: c.of}, nil)
		if d := len(lines) - c.want; d < -3 || d > 3 || (d != 0 && c.list != "timeline") || len(columns) == 0 {
			t.Errorf("%s, %+v: %d rows, want %d", c.list, c.of, len(lines), c.want)
		}
	}
}

func TestAnExportIsOfTheMomentItBegan(t *testing.T) {
	store, db := scaledStore(t, scale.Sizes{Permissions: 6000, Changes: 1})
	list, _ := export.Named("timeline")
	lines, _ := exported(t, store, export.Query{List: list}, func(n int) {
		if n != 1 {
			return
		}
		if _, err := db.Exec(t.Context(), `insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
			select 1000000, 'main', id, 'state', 'ipn', now() from walletsync.charge_permissions limit 1`); err != nil {
			t.Fatal(err)
		}
	})
	if len(lines) != 6000 {
		t.Errorf("%d rows", len(lines))
	}
}

// walks says what is wrong with a plan: a large table that is read from end to
// end for a page, or rows that are all sorted before the first is known. What
// counts is the node that reads and how, not whether the page is the first.
func walks(node map[string]any) (wrong []string) {
	switch node["Node Type"] {
	case "Seq Scan":
		if table, _ := node["Relation Name"].(string); pgtest.LargeTables[table] != nil {
			wrong = append(wrong, "a sequential scan of "+table)
		}
	case "Sort":
		wrong = append(wrong, fmt.Sprint("a sort by ", node["Sort Key"]))
	}
	children, _ := node["Plans"].([]any)
	for _, c := range children {
		wrong = append(wrong, walks(c.(map[string]any))...)
	}
	return wrong
}

// checkExportPlans fails for each list of which a page is no walk along an index.
// A page is the part of the whole that one of a million's is.
func checkExportPlans(t testing.TB, db *pgx.Conn, s scale.Sizes) {
	t.Helper()
	account := "main"
	if _, err := db.Exec(t.Context(), strings.ReplaceAll(postgres.ExportSettings, "set local", "set")); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = db.Exec(t.Context(), `reset all`) }()
	for _, l := range export.Lists {
		if l.Table == "" {
			continue
		}
		key := map[string][]string{"timeline": {fmt.Sprint(s.Permissions)}, "updates": {scale.ID(s.Permissions / 3), "2026-01-01 00:00:00+00", "00000000-0000-0000-0000-000000000000"},
			"refund_and_chargeback_notifications": {scale.ID(s.Permissions / 3), "2026-01-01 00:00:00+00", "m"}}[l.Name]
		if key == nil {
			key = []string{scale.ID(s.Permissions / 3)}
		}
		of := &account
		if l.Whole {
			of = nil
		}
		for name, q := range map[string]export.Query{
			"whole": {List: l}, "masked": {List: l, Masked: true}, "since": {List: l, Filters: export.Filters{Since: time.Now().Add(-time.Hour)}},
			"state": {List: l, Filters: export.Filters{State: "Closed"}}, "one": {List: l, Filters: export.Filters{ChargePermission: "B07-0000000-0000007"}},
		} {
			if q.Check() != nil {
				continue
			}
			for _, after := range [][]string{nil, key} {
				sql, args := postgres.ExportPage(q, of, after, max(10, s.Permissions/200))
				var plan []byte
				if err := db.QueryRow(t.Context(), `explain (format json) `+sql, append([]any{pgx.QueryExecModeExec}, args...)...).Scan(&plan); err != nil {
					t.Fatalf("%s, %s: %v\n%s", l.Name, name, err, sql)
				}
				var top []struct{ Plan map[string]any }
				if err := json.Unmarshal(plan, &top); err != nil {
					t.Fatal(err)
				}
				wrong := walks(top[0].Plan)
				if len(wrong) > 0 {
					t.Errorf("%s, %s, after %v: %s\n%s\n%s", l.Name, name, after, strings.Join(wrong, ", "), sql, plan)
				}
			}
		}
	}
}

func TestEveryPageOfAnExportIsAWalkAlongAnIndex(t *testing.T) {
	s := scale.Sizes{Permissions: 20_000, Changes: 4}
	_, db := scaledStore(t, s)
	checkExportPlans(t, db, s)
}

// BenchmarkExport exports a list of SCALE charge permissions (a million, for
// the record) as CSV, and says how much memory it takes besides.
func BenchmarkExport(b *testing.B) {
	n := 20_000
	if text := os.Getenv("SCALE"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1000 {
			b.Fatalf("SCALE is %q; set 1,000 or more", text)
		}
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
	s := scale.Sizes{Permissions: n, Changes: 1}
	db := pgtest.FilledOn(b, server, s)
	checkExportPlans(b, db, s)
	store := pgtest.Open(b, db.Config().ConnString(), pg.Options{})
	for _, name := range []string{"shipping_addresses", "payment_states", "timeline"} {
		list, _ := export.Named(name)
		b.Run(name, func(b *testing.B) {
			runtime.GC()
			debug.FreeOSMemory()
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			var most uint64
			for b.Loop() {
				w := export.CSV(io.Discard, false)
				rows := 0
				if err := store.Export(b.Context(), export.Query{List: list}, func(c []export.Column, _ int) error { return w.Begin(c) }, func(cells []export.Cell) error {
					if rows++; rows%10_000 == 0 {
						runtime.ReadMemStats(&now)
						most = max(most, now.HeapInuse)
					}
					return w.Row(cells)
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric((float64(most)-float64(before.HeapInuse))/(1<<20), "heap-MB")
		})
	}
}

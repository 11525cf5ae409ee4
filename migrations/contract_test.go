package migrations_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"walletsync/internal/local/pg/pgtest"
	"walletsync/internal/pg/migrate"
	"walletsync/migrations"
)

var update = flag.Bool("update", false, "write the contract of the back-office, and its reference in README.md, as they are now")

func TestMain(m *testing.M) { pgtest.Main(m) }

func migrated(t testing.TB) *pgx.Conn {
	t.Helper()
	return connect(t, pgtest.New(t, func(ctx context.Context, url string) error {
		_, err := migrate.Run(ctx, url, "", nil)
		return err
	}, migrations.Hash()))
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// relation is a view or a function that the back-office may build on.
type relation struct {
	Schema, Name, Kind string // view or function
	Arguments, Result  string // of a function
	Readers            []string
	Comment            string
	Columns            []column
}

type column struct{ Name, Type, Comment string }

// contract reads from the catalog what the back-office may build on, in the
// order of its names.
func contract(t testing.TB, db *pgx.Conn) []relation {
	t.Helper()
	rows, err := db.Query(t.Context(), `
		select n.nspname, c.relname, 'view', '', '', coalesce(obj_description(c.oid, 'pg_class'), ''),
		       array(select g.grantee::regrole::text || ' ' || lower(g.privilege_type) from aclexplode(c.relacl) g where g.grantee <> c.relowner order by 1),
		       array(select json_build_object('Name', a.attname, 'Type', format_type(a.atttypid, a.atttypmod),
		                 'Comment', coalesce(col_description(c.oid, a.attnum), ''))
		             from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname like 'back\_office%' and c.relkind not in ('i', 'S')
		union all
		select n.nspname, p.proname, 'function', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
		       coalesce(obj_description(p.oid, 'pg_proc'), ''),
		       array(select case g.grantee when 0 then 'public' else g.grantee::regrole::text end || ' ' || lower(g.privilege_type)
		             from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g where g.grantee <> p.proowner order by 1),
		       '{}'
		from pg_proc p join pg_namespace n on n.oid = p.pronamespace
		where n.nspname like 'back\_office%'
		order by 1, 3 desc, 2`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r relation, err error) {
		err = row.Scan(&r.Schema, &r.Name, &r.Kind, &r.Arguments, &r.Result, &r.Comment, &r.Readers, &r.Columns)
		return r, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("the contract has %d views and functions", len(all))
	}
	return all
}

// TestTheContractIsAsPromised fails when a view's or function's name, columns,
// types, order or readers change. What was released may only grow at its end:
// see README.md.
func TestTheContractIsAsPromised(t *testing.T) {
	var b strings.Builder
	for _, r := range contract(t, migrated(t)) {
		fmt.Fprintf(&b, "%s %s.%s", r.Kind, r.Schema, r.Name)
		if r.Kind == "function" {
			fmt.Fprintf(&b, "(%s)\n    returns %s", r.Arguments, r.Result)
		}
		fmt.Fprintf(&b, "\n    to %s\n", strings.Join(r.Readers, ", "))
		for _, c := range r.Columns {
			fmt.Fprintf(&b, "    %s %s\n", c.Name, c.Type)
		}
	}
	golden(t, "testdata/contract.txt", b.String())
}

func TestEverythingOfTheContractIsExplained(t *testing.T) {
	db := migrated(t)
	for _, r := range contract(t, db) {
		if r.Comment == "" {
			t.Errorf("%s.%s has no comment", r.Schema, r.Name)
		}
		for _, c := range r.Columns {
			if c.Comment == "" {
				t.Errorf("%s.%s.%s has no comment", r.Schema, r.Name, c.Name)
			}
			if strings.HasPrefix(c.Type, "timestamp") && !strings.Contains(c.Comment, "clock") {
				t.Errorf("%s.%s.%s does not say whose clock it is", r.Schema, r.Name, c.Name)
			}
		}
	}
	var bare int
	if err := db.QueryRow(t.Context(), `select count(*) from pg_namespace n
		where nspname like 'back\_office%' and obj_description(oid, 'pg_namespace') is null`).Scan(&bare); err != nil || bare != 0 {
		t.Errorf("%d schemas have no comment (%v)", bare, err)
	}
}

// TestTheMaskedContractIsTheSame: a query works in both schemas, with the same
// columns of the same types.
func TestTheMaskedContractIsTheSame(t *testing.T) {
	schemas := map[string][]relation{}
	for _, r := range contract(t, migrated(t)) {
		schema := r.Schema
		r.Schema, r.Comment, r.Readers = "", "", nil
		r.Columns = slices.Clone(r.Columns)
		for i := range r.Columns {
			r.Columns[i].Comment = ""
		}
		schemas[schema] = append(schemas[schema], r)
	}
	if diff := cmp.Diff(schemas["back_office"], schemas["back_office_masked"]); diff != "" {
		t.Errorf("the masked schema differs (-open +masked):\n%s", diff)
	}
}

const (
	begin = "<!-- reference: written by `go test ./migrations -update` -->\n"
	end   = "<!-- end of reference -->\n"
)

func TestReadmeHasTheReferenceAsItIs(t *testing.T) {
	var b strings.Builder
	for _, r := range contract(t, migrated(t)) {
		if r.Schema != "back_office" {
			continue
		}
		if r.Kind == "function" {
			fmt.Fprintf(&b, "\n### `%s(%s)`\n\n%s\n", r.Name, strings.ReplaceAll(r.Arguments, `"`, ""), r.Comment)
			continue
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n| column | type | |\n|---|---|---|\n", r.Name, r.Comment)
		for _, c := range r.Columns {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, c.Type, strings.ReplaceAll(c.Comment, "|", `\|`))
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(readme), begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("README.md has no place for the reference between %q and %q", begin, end)
	}
	golden(t, "README.md", before+begin+b.String()+"\n"+end+after)
}

// golden compares what is with what the file holds, or writes it there.
func golden(t *testing.T, file, is string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), is); diff != "" {
		t.Errorf("%s is not as it was (-was +is); if that is meant, go test ./migrations -update:\n%s", file, diff)
	}
}

package migrations_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// follow does the work for the next changes and returns their number.
func follow(ctx context.Context, db *pgx.Conn) (n int, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		var cursor, position int64
		if err := tx.QueryRow(ctx, `select position from shop.feed_cursor for update`).Scan(&cursor); err != nil {
			return err
		}
		var id, facet string
		var jobs pgx.Batch
		rows, _ := tx.Query(ctx, `select position, charge_permission_id, facet from back_office.changes_after($1, 100)`, cursor)
		tag, err := pgx.ForEachRow(rows, []any{&position, &id, &facet}, func() error {
			if facet == "shipping_address" || facet == "first_read" {
				jobs.Queue(`insert into shop.label_jobs (charge_permission_id, position) values ($1, $2)`, id, position)
			}
			cursor = position
			return nil
		})
		if err != nil {
			return err
		}
		n = int(tag.RowsAffected())
		jobs.Queue(`update shop.feed_cursor set position = $1`, cursor)
		return tx.SendBatch(ctx, &jobs).Close()
	})
	return n, err
}

// fenced returns README.md's block of code with an info string.
func fenced(t *testing.T, info string) string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "\n```"+info+"\n")
	code, _, ends := strings.Cut(rest, "```\n")
	if !found || !ends {
		t.Fatalf("README.md has no block %q", info)
	}
	return code
}

// TestTheReadmesExamplesFollowTheFeed runs both as a role that may read the
// contract and has a schema of its own.
func TestTheReadmesExamplesFollowTheFeed(t *testing.T) {
	source, err := os.ReadFile("follow_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), fenced(t, "go follow")) {
		t.Error("README.md shows another function than follow, which this test runs")
	}
	for name, step := range map[string]func(t *testing.T, db *pgx.Conn){
		"SQL": func(t *testing.T, db *pgx.Conn) { exec(t, db, "begin;"+fenced(t, "sql follow")+"commit") },
		"Go": func(t *testing.T, db *pgx.Conn) {
			if _, err := follow(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := migrated(t)
			seed(t, db)
			role := "shop_" + strings.ToLower(name)
			exec(t, db, fmt.Sprintf(`drop role if exists %[1]s; create role %[1]s; grant walletsync_reader to %[1]s; create schema shop authorization %[1]s; set role %[1]s`, role))
			exec(t, db, `create table shop.feed_cursor (position bigint not null); create table shop.label_jobs (charge_permission_id text not null, position bigint primary key);
				insert into shop.feed_cursor values (0)`)
			for range 3 { // the second and third find nothing new, and repeat nothing
				step(t, db)
			}
			same(t, db, `select * from shop.label_jobs order by position`, "("+wallet1+",1)", "("+wallet1+",2)")
			same(t, db, `select * from shop.feed_cursor`, "(8)")
			exec(t, db, `reset role`)
			exec(t, db, `insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
				select n, 'main', $1, 'shipping_address', 'ipn', now() from generate_series(1000, 1004) n`, wallet1)
			exec(t, db, `set role `+role)
			step(t, db)
			if got := text(t, db, `select position from shop.label_jobs order by position`); !slices.Equal(got, []string{"(1)", "(2)", "(1000)", "(1001)", "(1002)", "(1003)", "(1004)"}) {
				t.Errorf("did the work of %q", got)
			}
		})
	}
}

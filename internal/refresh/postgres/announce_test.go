package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/wallet"
)

// statuses counts what an announcement led to.
func statuses(all []wallet.Announcement) map[wallet.AnnouncementStatus]int {
	n := map[wallet.AnnouncementStatus]int{}
	for _, a := range all {
		n[a.Status]++
	}
	return n
}

// scalar is the one value that a query returns, as a text.
func scalar(t *testing.T, db *pgxpool.Pool, sql string) (out string) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAHundredAnnouncedAreRequestedOnce(t *testing.T) {
	url := pgtest.Database(t)
	db := pgtest.Connect(t, url)
	store := pgtest.Open(t, url, pg.Options{})
	ids := someIDs(100)
	// Four of them are known: read, not followed, erased, and still to be
	// imported. A fifth belongs to another account.
	if _, err := store.Import(t.Context(), "main", ids[:4]); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `
		insert into walletsync.charge_permissions (account, id, type, followed, stored_at, changed_at, cause)
		values ('main', $1, 'PaymentMethodOnFile', true, now(), now(), 'import'), ('main', $2, 'OneTime', false, now(), now(), 'import'),
		       ('known', $3, 'PaymentMethodOnFile', true, now(), now(), 'import')`, ids[0], ids[1], ids[4]); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `update walletsync.refreshes set done = wanted where id < $1`, ids[3]); err != nil {
		t.Fatal(err)
	}
	if err := store.Erase(t.Context(), "main", ids[2:3], wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}

	for turn, want := range []string{
		"map[erased:1 not_followed:1 other_account:1 pending:1 requested:95 stored:1]", "map[erased:1 not_followed:1 other_account:1 pending:96 stored:1]",
	} {
		got, wakes, err := store.Announce(t.Context(), "main", ids)
		if err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprint(statuses(got)); s != want || len(got) != len(ids) || !slices.IsSortedFunc(got, func(a, b wallet.Announcement) int {
			return strings.Compare(string(a.ChargePermission), string(b.ChargePermission))
		}) {
			t.Errorf("%s, want %s", s, want)
		}
		// What is needed soon wakes the worker, and the second time it is under way.
		if (len(wakes) == 1) != (turn == 0) {
			t.Errorf("turn %d: wake-ups %v", turn, wakes)
		}
		var rows, wanted int
		if err := db.QueryRow(t.Context(), `select count(*), sum(wanted - done) from walletsync.refreshes
			where account = 'main' and priority = 20 and wanted > done and not_before <= now()`).Scan(&rows, &wanted); err != nil {
			t.Fatal(err)
		}
		if rows != 96 || wanted != 96 {
			t.Errorf("turn %d: %d rows are due, %d times", turn, rows, wanted)
		}
	}
	if n := scalar(t, db, `select count(*)::text from walletsync.refreshes where account = 'main' and id = '`+string(ids[4])+`'`); n != "0" {
		t.Error("what is stored for another account is requested")
	}
}

func TestAnAnnouncementNamesAMissingAccount(t *testing.T) {
	store := pgtest.Open(t, pgtest.Database(t), pg.Options{})
	if _, _, err := store.Announce(t.Context(), "other", someIDs(2)); err == nil || !strings.Contains(err.Error(), "account other is not in the database") {
		t.Error(err)
	}
}

// Announcements that overlap, beside an import and erasures of the same ids:
// rows are locked in key order, so none waits for another in a circle, and each
// id is requested once.
func TestAnnouncementsAtOnceRequestEachIDOnce(t *testing.T) {
	url := pgtest.Database(t)
	db := pgtest.Connect(t, url)
	ids := someIDs(600)
	var g errgroup.Group
	for i := range 4 {
		store := pgtest.Open(t, url, pg.Options{})
		g.Go(func() error {
			for n := range 5 {
				if _, _, err := store.Announce(t.Context(), "main", ids[(i+n)*50:(i+n)*50+100]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		_, err := pgtest.Open(t, url, pg.Options{}).Import(t.Context(), "main", ids)
		return err
	})
	g.Go(func() error {
		return pgtest.Open(t, url, pg.Options{}).Erase(context.WithoutCancel(t.Context()), "main", ids[500:], wallet.CauseErasure)
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := scalar(t, db, `select count(*) || ' ' || sum(wanted) from walletsync.refreshes where id < 'S01-0000000-0000450'`); n != "450 450" {
		t.Errorf("rows and requests: %s", n)
	}
}

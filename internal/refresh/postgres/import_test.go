package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

func someIDs(n int) []wallet.ChargePermissionID {
	ids := make([]wallet.ChargePermissionID, n)
	for i := range ids {
		ids[i] = wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", i))
	}
	return ids
}

func TestAnImportNamesAMissingAccount(t *testing.T) {
	store := pgtest.Open(t, pgtest.Database(t), pg.Options{})
	_, err := store.Import(t.Context(), "other", someIDs(2))
	_, err2 := store.ImportOf(t.Context(), "other")
	for _, err := range []error{err, err2} {
		if err == nil || !strings.Contains(err.Error(), "account other is not in the database") {
			t.Error(err)
		}
	}
}

// Two imports of lists that overlap, and notifications of what they name: the
// keys are locked in their order, so none waits for the other in a circle, and
// each id is marked once.
func TestImportsAtOnceMarkEachIDOnce(t *testing.T) {
	url := pgtest.Database(t)
	db := pgtest.Connect(t, url)
	ids := someIDs(2000)
	var marked [4]int
	var g errgroup.Group
	for i := range marked {
		store := pgtest.Open(t, url, pg.Options{})
		g.Go(func() error {
			part := slices.Clone(ids[i*100:])
			for batch := range slices.Chunk(part, 100+i) {
				n, err := store.Import(t.Context(), "main", batch)
				if err != nil {
					return err
				}
				marked[i] += n
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var rows, wanted int
	if err := db.QueryRow(t.Context(), `select count(*), sum(wanted) from walletsync.refreshes where priority = 70 and done = 0`).Scan(&rows, &wanted); err != nil {
		t.Fatal(err)
	}
	if sum := marked[0] + marked[1] + marked[2] + marked[3]; sum != len(ids) || rows != len(ids) || wanted != len(ids) {
		t.Errorf("%v marked, %d rows, wanted %d times", marked, rows, wanted)
	}
}

func TestHowAnImportStands(t *testing.T) {
	url := pgtest.Database(t)
	db := pgtest.Connect(t, url)
	store := pgtest.Open(t, url, pg.Options{})
	if _, err := store.Import(t.Context(), "main", someIDs(10)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `
		update walletsync.refreshes set attempts = 3 where id < 'S01-0000000-0000002';
		update walletsync.refreshes set attempts = 2 where id = 'S01-0000000-0000002';
		update walletsync.refreshes set priority = 20 where id > 'S01-0000000-0000007';
		update walletsync.refreshes set done = wanted where id = 'S01-0000000-0000007';
		update walletsync.api_quota set closed_until = clock_timestamp() + interval '1 minute', closed_why = 'a test' where account = 'main';
		insert into walletsync.charge_permissions (account, id, type, followed, stored_at, changed_at, cause)
		select 'main', 'S01-1000000-' || lpad(i::text, 7, '0'), '', true, clock_timestamp() - i * interval '1 minute', now(), case when i % 2 = 0 then 'ipn' else 'import' end
		from generate_series(1, 120) i`); err != nil {
		t.Fatal(err)
	}
	got, err := store.ImportOf(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	if got.Rest <= 50*time.Second || got.Rest > time.Minute {
		t.Errorf("calls rest for %v", got.Rest)
	}
	got.Rest = 0
	if want := (refresh.Import{Waiting: 7, Stuck: 2, Ahead: 2, PerSecond: 4, Why: "a test"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	others, err := store.OtherCalls(t.Context(), "main")
	if want := 29.0 / 3600; err != nil || others < want || others > want+1.0/3600 { // 2, 4, … 58 minutes ago, and 60 or not
		t.Errorf("others make %v calls a second, %v", others, err)
	}
	if got, err = store.ImportOf(t.Context(), "known"); err != nil || got != (refresh.Import{PerSecond: 4}) {
		t.Errorf("%+v, %v", got, err)
	}
}

package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/cli"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/privacy"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

var _ cli.Store = (*pgtest.Stores)(nil)

func TestMain(m *testing.M) { pgtest.Main(m) }

// restored runs after-restore, and returns its outcome and its steps.
func restored(u *pgtest.Fixture, log ...privacy.Erasure) (cli.Restoration, []string) {
	u.T.Helper()
	var steps []string
	r, err := cli.AfterRestore(u.T.Context(), u, log, func(step string, done, total int) {
		steps = append(steps, fmt.Sprintf("%s %d of %d", step, done, total))
	})
	if err != nil {
		u.T.Fatal(err)
	}
	return r, steps
}

func TestAfterARestoreWhatIsNotClosedIsWanted(t *testing.T) {
	u := pgtest.New(t)
	for i, c := range []struct{ kind, state string }{
		{"open", "Chargeable"}, {"without a state", ""}, {"closed", "Closed"}, {"gone", "Chargeable"}, {"not followed", ""},
		{"wanted already", "Chargeable"}, {"never read", ""},
	} {
		id := wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", i+1))
		wanted := 1
		if c.kind == "wanted already" {
			wanted = 2
		}
		u.Exec(`insert into walletsync.refreshes (account, id, wanted, done, priority, gone_at, last_error) values ('main', $1, $2, 1, 20, case when $3 = 'gone' then now() end, $3)`, id, wanted, c.kind)
		if c.kind != "never read" {
			u.Exec(`insert into walletsync.charge_permissions (account, id, type, followed, state, stored_at, changed_at)
				values ('main', $1, 'x', $2 <> 'not followed', nullif($3, ''), now(), now())`, id, c.kind, c.state)
		}
	}
	u.Exec(`update walletsync.api_quota set wake_at = 'infinity'; update walletsync.feed set n = 7`)
	r, steps := restored(u)
	if d := cmp.Diff(cli.Restoration{Position: 7 + 1<<40, Requested: 3}, r); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"raising the feed's counter, ending leases 0 of 0", "requesting refreshes 0 of 7", "requesting refreshes 7 of 7"}, steps); d != "" {
		t.Error(d)
	}
	if got := u.Text(`select string_agg(last_error || ' ' || priority, ', ' order by id) from walletsync.refreshes where wanted > done`); got !=
		"open 60, without a state 60, wanted already 20, never read 60" {
		t.Errorf("wanted: %s", got)
	}
	if got := u.Text(`select max(wake_at) from walletsync.api_quota`); got != "-infinity" {
		t.Errorf("a wake-up is under way: %s", got)
	}
	if r, _ := restored(u); r.Requested != 0 || r.Position != 7+2<<40 {
		t.Errorf("once more: %+v", r)
	}
}

func TestTheMarkingGoesOnPageByPage(t *testing.T) {
	u := pgtest.New(t)
	u.Exec(`insert into walletsync.refreshes (account, id, wanted, done) select a, 'S01-0000000-' || lpad(i::text, 7, '0'), 1, 1
		from generate_series(1, 2000) i, unnest(array['main', 'known']) a; analyze walletsync.refreshes`)
	r, steps := restored(u)
	if r.Requested != 4000 || len(steps) != 1+2*3 { // the third page of each is empty
		t.Errorf("%+v, %v", r, steps)
	}
	if n := u.Text(`select count(*) from walletsync.refreshes where wanted = done + 1`); n != "4000" {
		t.Errorf("%s are wanted", n)
	}
}

func TestAFetchFromBeforeTheRestoreStoresNothing(t *testing.T) {
	u := pgtest.New(t)
	lease, settings := refresh.Lease{1}, refresh.Defaults()
	got, err := u.Claim(t.Context(), refresh.ClaimRequest{Lease: lease, Settings: settings, Accounts: []wallet.AccountID{"main"},
		Want: &wallet.Want{Account: "main", ChargePermission: pgtest.PermissionOne, Priority: wallet.PriorityRefresh}})
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := restored(u); r.Leases != 1 || r.Requested != 0 {
		t.Errorf("%+v", r)
	}
	p := pgtest.Person(pgtest.PermissionOne, "Ada")
	done, err := u.Commit(t.Context(), refresh.CommitRequest{Lease: lease, Settings: settings, Results: []refresh.Result{
		{Claim: got.Claims[0], Kind: refresh.Read, ReadAt: u.Now, State: p, Changes: wallet.Diff(nil, &p)}}})
	if err != nil || len(done.Settled) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if open := u.Text(`select wanted > done and lease is null from walletsync.refreshes`); open != "true" {
		t.Errorf("it is wanted and free: %s", open)
	}
}

// TestTheErasureLogIsReplayed: one erased after the backup, one whose data came
// back by an update of the buyer's own, one that was heard of after the backup.
func TestTheErasureLogIsReplayed(t *testing.T) {
	u := pgtest.New(t)
	const unheard = wallet.ChargePermissionID("S01-0000000-0000003")
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Bert"), `{}`)
	at := u.Now
	log := func(id wallet.ChargePermissionID, at time.Time, cause wallet.Cause) privacy.Erasure {
		return privacy.Erasure{Account: "main", ChargePermission: id, At: at, Cause: cause}
	}
	u.Now = u.Now.Add(time.Hour)
	if err := u.CompleteUpdate(t.Context(), "main", pgtest.PermissionTwo, pgtest.CheckoutTwo, pgtest.SessionID(2), time.Time{}); err != nil {
		t.Fatal(err)
	}
	lines := []privacy.Erasure{
		log(pgtest.PermissionTwo, at, wallet.CauseErasure),
		log(pgtest.PermissionOne, at, wallet.CauseRetention), log(unheard, at, wallet.CauseErasure),
		{Account: "removed", ChargePermission: pgtest.PermissionOne, At: at, Cause: wallet.CauseErasure},
	}
	r, _ := restored(u, lines...)
	if r.Erased != 2 || r.Updated != 1 {
		t.Errorf("%+v", r)
	}
	if got := u.Text(`select string_agg(r.id || coalesce(' ' || c.buyer_name, ''), ', ' order by r.id) from walletsync.refreshes r left join walletsync.charge_permissions c using (account, id)`); got !=
		"S01-0000000-0000001, S01-0000000-0000002 Bert, S01-0000000-0000003" {
		t.Errorf("stored: %s", got)
	}
	if got := u.Text(`select string_agg(id, ' ' order by id) from walletsync.refreshes where erased_at is not null`); got != string(pgtest.PermissionOne+" "+unheard) {
		t.Errorf("erased: %s", got)
	}
	const recorded = `select string_agg(charge_permission || ' ' || cause, ', ') from walletsync.charge_permission_changes where facet = 'erased'`
	if got := u.Text(recorded); got != string(pgtest.PermissionOne)+" retention" {
		t.Errorf("recorded: %s", got)
	}
	// Again, and the person of Two was erased once more after the update.
	if r, _ := restored(u, append(lines, log(pgtest.PermissionTwo, u.Now.Add(time.Second), wallet.CauseErasure))...); r.Erased != 3 || r.Updated != 0 {
		t.Errorf("%+v", r)
	}
	if got := u.Text(recorded); got != string(pgtest.PermissionOne)+" retention, "+string(pgtest.PermissionTwo)+" erasure" {
		t.Errorf("recorded: %s", got)
	}
}

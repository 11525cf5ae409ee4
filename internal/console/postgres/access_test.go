package postgres_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"walletsync/internal/console"
	"walletsync/internal/console/postgres"
	"walletsync/internal/console/view"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/wallet"
)

var _ console.AccessLog = (*postgres.Store)(nil)

func opened(account wallet.AccountID, id wallet.ChargePermissionID) view.Access {
	return view.Access{Account: account, ChargePermissions: []wallet.ChargePermissionID{id}, What: "opened"}
}

func TestTheAccessLogHasWhoOpenedARecord(t *testing.T) {
	u := pgtest.New(t)
	clerk := view.Identity{Subject: "u-1", Name: "Carla Clerk", Role: view.RoleRead, CSRF: "token"}
	program := view.Identity{Subject: "reports", Role: view.RoleAct}
	start := u.Now
	for _, line := range []struct {
		by view.Identity
		a  view.Access
	}{
		{clerk, opened("main", pgtest.PermissionTwo)},
		{clerk, opened("main", "S01-0000000-0000009")},
		{clerk, opened("other", pgtest.PermissionTwo)}, // no account that there is
		{program, view.Access{Account: "main", ChargePermissions: []wallet.ChargePermissionID{"S01-0000000-0000007", pgtest.PermissionTwo}, What: "exported"}},
		{clerk, opened("main", pgtest.PermissionTwo)},
	} {
		if err := u.LogAccess(t.Context(), line.by, line.a); err != nil {
			t.Fatal(err)
		}
		u.Now = u.Now.Add(time.Minute)
	}
	got, err := u.Accesses(t.Context(), "main", pgtest.PermissionTwo, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []view.Accessed{
		{At: start.Add(4 * time.Minute), Subject: "u-1", Name: "Carla Clerk", Role: "read", What: "opened"},
		{At: start.Add(3 * time.Minute), Subject: "reports", Role: "act", What: "exported"},
		{At: start, Subject: "u-1", Name: "Carla Clerk", Role: "read", What: "opened"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err = u.Accesses(t.Context(), "main", pgtest.PermissionTwo, 1); err != nil || len(got) != 1 || !got[0].At.Equal(want[0].At) {
		t.Errorf("the newest: %+v, %v", got, err)
	}
}

func TestAnExportIsLoggedForEachChargePermissionAndASearchForNone(t *testing.T) {
	u := pgtest.New(t)
	by := view.Identity{Subject: "u-1", Name: "Carla Clerk", Role: view.RoleAct}
	for _, a := range []view.Access{
		{What: "exported", Account: "main", ChargePermissions: []wallet.ChargePermissionID{"S01-0000000-0000007", pgtest.PermissionTwo}},
		{What: "searched", Detail: "name closed"},
		{What: "retried", Detail: "all"},
	} {
		if err := u.LogAccess(t.Context(), by, a); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := u.Pool.Query(t.Context(), `select concat_ws(' ', subject, name, role, action, account, charge_permission, detail) from walletsync.console_access order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"u-1 Carla Clerk act exported main S01-0000000-0000007 ",
		"u-1 Carla Clerk act exported main " + string(pgtest.PermissionTwo) + " ",
		"u-1 Carla Clerk act retried all",
		"u-1 Carla Clerk act searched name closed",
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The page is refused if the access log cannot name the user.
func TestAccessWithoutSubjectOrRoleIsAnError(t *testing.T) {
	u := pgtest.New(t)
	for name, by := range map[string]view.Identity{"no subject": {Role: view.RoleAct}, "no role": {Subject: "u-1"}} {
		if err := u.LogAccess(t.Context(), by, opened("main", pgtest.PermissionTwo)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheAccessLogForgetsWhatIsOld(t *testing.T) {
	u := pgtest.New(t)
	by := view.Identity{Subject: "u-1", Role: view.RoleAct}
	for range 5 {
		if err := u.LogAccess(t.Context(), by, opened("main", pgtest.PermissionTwo)); err != nil {
			t.Fatal(err)
		}
		u.Now = u.Now.Add(24 * time.Hour)
	}
	for _, want := range []int{2, 1, 0} { // lines of 5, 4, 3, 2 and 1 days ago
		if n, err := u.ForgetAccesses(t.Context(), 3*24*time.Hour, 2); err != nil || n != want {
			t.Errorf("%d forgotten, not %d: %v", n, want, err)
		}
	}
	if left, err := u.Accesses(t.Context(), "main", pgtest.PermissionTwo, 10); err != nil || len(left) != 2 {
		t.Errorf("%d left, %v", len(left), err)
	}
}

func TestTheAccessLogIsReadByItsIndexes(t *testing.T) {
	u := pgtest.New(t)
	u.Exec(`insert into walletsync.console_access (id, at, subject, role, action, account, charge_permission)
		select gen_random_uuid(), now() - n * interval '1 minute', 'u-' || n % 20, 'read', 'opened', 'main', 'S01-0000000-' || lpad((n % 5000)::text, 7, '0')
		from generate_series(1, 50000) n`)
	u.Exec("vacuum analyze walletsync.console_access")
	for statement, c := range map[string]struct {
		args  []any
		index string
	}{
		"access_of":     {[]any{"main", "S01-0000000-0000001", 50}, "console_access_of_one"},
		"forget_access": {[]any{(30 * 24 * time.Hour).Seconds(), 1000, nil}, "console_access_oldest"},
	} {
		text, err := os.ReadFile("sql/" + statement + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := u.Pool.Query(t.Context(), "explain "+string(text), append([]any{pgx.QueryExecModeExec}, c.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(lines, "\n"); !strings.Contains(plan, c.index) || strings.Contains(plan, "Seq Scan on console_access") {
			t.Errorf("%s:\n%s", statement, plan)
		}
	}
}

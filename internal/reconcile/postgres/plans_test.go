package postgres_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
)

// The plans of every feature's statements that search for rows, on one large database, because filling it takes longer
// than all the plans. The sweep must read only the rows that it marks, and count without reading rows; a claim reads only
// the rows that it returns.
func TestNoStatementReadsMoreThanItNeeds(t *testing.T) {
	url := pgtest.Database(t)
	db := pgtest.Connect(t, url)
	if _, err := db.Exec(t.Context(), `
		insert into walletsync.refreshes (account, id, wanted, done)
		select 'main', 'S01-0000000-' || lpad(i::text, 7, '0'), 1, 1 from generate_series(1, 100000) i;
		insert into walletsync.notifications (message_id, account, notification_id, object_type, object_id, type, published_at, arrived_at, processed_at, outcome)
		select 'm' || i, 'main', 'n', 'o', 'o', 't', now(), now(), now() - make_interval(secs => i), 'recorded' from generate_series(1, 100000) i;
		insert into walletsync.charge_permissions (account, id, type, followed, buyer_id, state, stored_at, changed_at, raw)
		select 'main', 'S01-0000000-' || lpad(i::text, 7, '0'), 'PaymentMethodOnFile', true, 'buyer ' || i / 2,
		       case when i % 3 = 0 then 'Closed' else 'Chargeable' end, now() - make_interval(secs => 60 * (i::bigint * 7919 % 100000)), now(), jsonb_build_object('pad', repeat('x', 500))
		from generate_series(1, 100000) i`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `
		with s as (
			insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, created_at, expires_at, state, ended_at)
			select gen_random_uuid(), 'main', 'S01-0000000-' || lpad(i::text, 7, '0'), 'both', 'PayAndShip', now() - make_interval(mins => i),
			       now() - make_interval(mins => i), 'completed', now() - make_interval(mins => i)
			from generate_series(1, 20000) i returning id, ended_at)
		insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at, outcome, ended_at)
		select 'main', id::text, id, ended_at, 'completed', ended_at from s`); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"refreshes", "charge_permissions", "notifications", "update_sessions", "update_attempts"} {
		if _, err := db.Exec(t.Context(), "vacuum analyze walletsync."+table); err != nil {
			t.Fatal(err)
		}
	}
	const lease = "00000000-0000-0000-0000-000000000001"
	some := make([]string, 1000)
	for i := range some {
		some[i] = fmt.Sprintf("S01-0000000-%07d", 100*i)
	}
	for _, c := range []struct {
		statement string
		args      []any
		index     string
	}{
		{"reconcile sweep", []any{"main", time.Hour.Seconds(), 150, nil}, "charge_permissions_longest_unread"},
		{"reconcile sweepable", []any{"main"}, "charge_permissions_longest_unread"},
		{"refresh claim", []any{"main", 20, lease, 35.0, nil}, "Index Scan using refreshes_due"},
		{"refresh claim", []any{"main", 20, lease, 35.0, nil}, "Index Scan using refreshes_longest"},
		{"refresh inbox", []any{[]string{"m"}, []string{"main"}, []string{"n"}, []string{"CHARGE"}, []string{"o"}, []string{"S01-0000000-0000001"}, []string{"t"},
			[]time.Time{time.Now()}, []time.Time{time.Now()}, nil, []bool{true}}, "refreshes_pkey"},
		{"refresh claimed", []any{lease, 5.0, nil, nil, nil}, "refreshes_lease"},
		{"refresh claimed", []any{lease, 5.0, nil, "main", "S01-0000000-0000001"}, "refreshes_lease"},
		{"refresh take", []any{"main", "S01-0000000-0000001", lease, 35.0, nil, 5.0, nil}, "refreshes_pkey"},
		{"refresh backlog", []any{"main", nil}, "refreshes_longest"},
		{"reconcile channel", []any{"main", 300.0, nil}, "(ended_at > "}, // entered where the counting begins
		{"reconcile channel", []any{"main", 300.0, nil}, "using notifications_named"},
		{"privacy retention", []any{"main", time.Hour.Seconds(), 500, nil}, "charge_permissions_to_erase"},
		{"update forget", []any{"main", 240 * time.Hour.Seconds(), 1000, nil}, "update_sessions_ended"},
		{"update open", []any{"main", 20, nil}, "update_attempts_open"},
		{"reconcile forget_notifications", []any{"main", time.Hour.Seconds(), 1000, nil}, "notifications_processed"},
		{"privacy of_one_person", []any{"S01-0000000-0000001", nil, nil}, "charge_permissions_of_one_buyer"},
		{"privacy erase_permissions", []any{"main", some}, "charge_permissions_pkey"},
		{"privacy erase_mark", []any{"main", some, nil}, "refreshes_pkey"},
		{"cli restore_mark", []any{"main", "S01-0000000-0050000", 1000, nil}, "refreshes_pkey"},
		{"refresh import", []any{"main", some, nil}, "Conflict Arbiter Indexes: refreshes_pkey"},
		{"refresh imported", []any{"main", some}, "refreshes_pkey"},
		{"refresh import_waits", []any{"main", 3, nil}, "Index Only Scan using refreshes_due"},
		{"refresh import_others", []any{"main", nil}, "charge_permissions_longest_unread"},
	} {
		feature, name, _ := strings.Cut(c.statement, " ")
		file := "../../" + feature + "/postgres/sql/" + name + ".sql"
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query(t.Context(), "explain "+string(text), append([]any{pgx.QueryExecModeExec}, c.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if !strings.Contains(plan, c.index) || strings.Contains(plan, "Seq Scan on charge_permissions") ||
			strings.Contains(plan, "Seq Scan on refreshes") || strings.Contains(plan, "Seq Scan on notifications") {
			t.Errorf("%s:\n%s", c.statement, plan)
		}
	}
	store := pgtest.Open(t, url, pg.Options{})
	work, err := store.Sweepable(t.Context(), "main")
	if err != nil || work.Total != 100000-100000/3 || work.PerSecond != 4 {
		t.Errorf("%+v, %v", work, err)
	}
	if n, err := store.MarkUnread(t.Context(), "main", time.Minute, 150); n != 150 || err != nil {
		t.Errorf("%d marked, %v", n, err)
	}
	if work, err = store.Sweepable(t.Context(), "main"); err != nil || work.Waiting != 150 {
		t.Errorf("%+v, %v", work, err)
	}
	var longest bool
	if err := db.QueryRow(t.Context(), `select max(c.stored_at) filter (where r.wanted > r.done) <= min(c.stored_at) filter (where r.wanted = r.done)
		from walletsync.charge_permissions c join walletsync.refreshes r using (account, id) where c.state <> 'Closed'`).Scan(&longest); err != nil || !longest {
		t.Errorf("one that was read later was marked instead of one read earlier (%v)", err)
	}
}

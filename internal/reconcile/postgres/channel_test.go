package postgres_test

import (
	"strings"
	"testing"
	"time"

	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/reconcile"
)

func TestNotificationsFailWhenTwoAreMissing(t *testing.T) {
	const (
		notified  = `insert into walletsync.notifications values ('m' || $2::int, 'main', 'n', 'CHARGE_PERMISSION', 'S01-0000000-0000001', 'S01-0000000-0000001', 'STATE_CHANGE', $1, $1, $1, 'wanted')`
		unnamed   = `insert into walletsync.notifications values ('m' || $2::int, 'main', 'n', 'OLD_VERSION', '', null, 'OrderReferenceNotification', $1, $1, $1, 'recorded')`
		unmatched = `insert into walletsync.notifications values ('m' || $2::int, 'main', 'n', 'CHARGE', 'S03-0000000-0000001-C000001', null, 'STATE_CHANGE', $1, $1, $1, 'unmatched')`
		completed = `insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at, outcome, ended_at)
			values ('main', 'c' || $2::int, (select min(id::text)::uuid from walletsync.update_sessions), $1, 'completed', $1)`
		changed = `with f as (update walletsync.feed set n = n + 1 returning n)
			insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
			select n, 'main', 'S01-0000000-0000001', 'shipping_address', 'reconcile', $1::timestamptz + $2::int * interval '0' from f`
		first = `with f as (update walletsync.feed set n = n + 1 returning n)
			insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
			select n, 'main', 'S01-0000000-0000001', 'first_read', 'reconcile', $1::timestamptz + $2::int * interval '0' from f`
	)
	type happened struct {
		minutesAgo int
		what       string
	}
	for _, c := range []struct {
		name    string
		history []happened
		want    reconcile.Verdict
		missing int
	}{
		{"nothing has happened", nil, reconcile.Untested, 0},
		{"a notification came", []happened{{60, notified}}, reconcile.Alive, 0},
		{"an update's notification is not due yet", []happened{{60, notified}, {4, completed}}, reconcile.Alive, 0},
		{"an update's notification is missing", []happened{{60, notified}, {6, completed}}, reconcile.Doubtful, 1},
		{"so is a second one's", []happened{{60, notified}, {8, completed}, {6, completed}}, reconcile.Dead, 2},
		{"another one came since", []happened{{8, completed}, {6, completed}, {1, notified}}, reconcile.Alive, 0},
		{"only such as name no charge permission came since", []happened{{60, notified}, {8, completed}, {6, completed}, {5, unnamed}, {1, unmatched}}, reconcile.Dead, 2},
		{"only such as name no charge permission ever came", []happened{{1, unnamed}, {1, unmatched}}, reconcile.Untested, 0},
		{"the notification was there before the outcome", []happened{{10, notified}, {10, completed}}, reconcile.Alive, 0},
		{"none ever came", []happened{{30, completed}, {20, completed}}, reconcile.Dead, 2},
		{"the sweep found a change", []happened{{60, notified}, {3, changed}}, reconcile.Doubtful, 1},
		{"the sweep found two sides of one wallet changed", []happened{{60, notified}, {3, changed}, {3, changed}}, reconcile.Doubtful, 1},
		{"the sweep found a change, and an update's is missing", []happened{{60, notified}, {6, completed}, {3, changed}}, reconcile.Dead, 2},
		{"the sweep read one for the first time", []happened{{60, notified}, {3, first}}, reconcile.Alive, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := pgtest.Database(t)
			db := pgtest.Connect(t, url)
			now := time.Now().UTC().Truncate(time.Second)
			if _, err := db.Exec(t.Context(), `
				insert into walletsync.charge_permissions (account, id, type, followed, state, stored_at, changed_at)
				values ('main', 'S01-0000000-0000001', 'PaymentMethodOnFile', true, 'Chargeable', now(), now());
				insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, expires_at)
				values (gen_random_uuid(), 'main', 'S01-0000000-0000001', 'both', 'PayAndShip', now())`); err != nil {
				t.Fatal(err)
			}
			for i, h := range c.history {
				if _, err := db.Exec(t.Context(), h.what, now.Add(-time.Duration(h.minutesAgo)*time.Minute), i); err != nil {
					t.Fatalf("%s: %v", strings.Fields(h.what)[2], err)
				}
			}
			got, err := pgtest.Open(t, url, pg.Options{}).Heard(t.Context(), "main", 5*time.Minute)
			if err != nil || got.Verdict() != c.want || got.Missing() != c.missing {
				t.Errorf("%s by %+v (%v), want %s by %d", got.Verdict(), got, err, c.want, c.missing)
			}
		})
	}
}

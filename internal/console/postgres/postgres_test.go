package postgres_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/console"
	"walletsync/internal/console/postgres"
	"walletsync/internal/console/view"
	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/reconcile"
	"walletsync/internal/wallet"
)

var (
	_ console.Store        = (*postgres.Store)(nil)
	_ reconcile.HoursStore = (*postgres.Store)(nil)
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// shop is a database with buyers in it, and a clock of its own.
type shop struct {
	*pgtest.Stores
	t   *testing.T
	db  *pgxpool.Pool
	now time.Time
	n   int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	url := pgtest.Database(t)
	s := &shop{t: t, db: pgtest.Connect(t, url), now: time.Date(2026, 11, 24, 13, 50, 0, 0, time.UTC)}
	s.Stores = pgtest.Open(t, url, pg.Options{Now: func() time.Time { return s.now }})
	return s
}

func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatalf("%v: %s", err, sql)
	}
}

// buyer adds a charge permission and returns its id.
func (s *shop) buyer(account wallet.AccountID, name, email, code, state string) string {
	s.t.Helper()
	s.n++
	id := fmt.Sprintf("B01-0000000-%07d", s.n)
	null := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	s.exec(`insert into walletsync.charge_permissions (account, id, type, followed, state, buyer_name, buyer_email, shipping_postal_code, shipping_city,
			payment_descriptors, stored_at, changed_at, read_at, raw)
		values ($1, $2, 'PaymentMethodOnFile', true, $3, $4, $5, $6, 'City', array['Visa ****1111'], $7, $7, $7, '{}')`,
		account, id, state, null(name), null(email), null(code), s.now.Add(-time.Duration(s.n)*time.Hour))
	s.exec(`insert into walletsync.refreshes (account, id) values ($1, $2)`, account, id)
	return id
}

// pages returns what a list shows, page by page, by ids; at most so many a page.
func (s *shop) pages(ask func(after view.Cursor) ([]view.Row, view.Cursor, error)) (all []string, pages int) {
	s.t.Helper()
	var after view.Cursor
	for {
		rows, next, err := ask(after)
		if err != nil {
			s.t.Fatal(err)
		}
		pages++
		for _, r := range rows {
			all = append(all, r.ChargePermissionID)
		}
		if next == (view.Cursor{}) || pages > 100 {
			return all, pages
		}
		after = next
	}
}

// found returns what a search finds, two a page.
func (s *shop) found(by, term, state string) []string {
	s.t.Helper()
	all, _ := s.pages(func(after view.Cursor) ([]view.Row, view.Cursor, error) {
		return s.Search(s.t.Context(), false, view.Query{By: by, Term: term, State: state, After: after, Most: 2})
	})
	return all
}

func TestTheStoreSearchesByNoPersonalDataForMaskedReaders(t *testing.T) {
	s := newShop(t)
	s.buyer("main", "Anna", "anna@example.com", "10115", "Chargeable")
	for by, allowed := range map[string]bool{view.ByID: true, view.ByState: true, view.ByName: false, view.ByEmail: false, view.ByPostalCode: false} {
		rows, _, err := s.Search(t.Context(), true, view.Query{By: by, State: "Chargeable", Most: 2, After: view.Cursor{}})
		if (err == nil) != allowed || !allowed && len(rows) > 0 {
			t.Errorf("by %s: %v, %v", by, rows, err)
		}
	}
}

func TestASearchFindsWhatBeginsWithTheTerm(t *testing.T) {
	s := newShop(t)
	anna := s.buyer("main", "Anna Müller", "Anna.Mueller@Example.com", "10115", "Chargeable")
	annabel := s.buyer("known", "annabel lee", "b@example.com", "SW1A 1AA", "NonChargeable")
	hanna := s.buyer("main", "Hanna Anna Maria Annason", "", "sw1a-2bb", "Chargeable")
	muller := s.buyer("main", "MüLLER", "mueller@example.com", "", "Closed")
	taro := s.buyer("main", "山田\u3000太郎", "", "150-0041", "Chargeable")
	percent := s.buyer("main", `100%_\ Club`, "100%@example.com", "", "Chargeable")
	s.buyer("main", "", "", "", "Chargeable")
	s.exec(`update walletsync.charge_permissions set billing_postal_code = '99 999' where id = $1`, muller)
	for _, c := range []struct {
		name, by, term, state string
		want                  []string
	}{
		{"first name", view.ByName, "anna", "", []string{anna, annabel, hanna}},
		{"first name in capitals", view.ByName, "ANNA M", "", []string{anna}},
		{"last word", view.ByName, "annas", "", []string{hanna}},
		{"a word in between is not looked at", view.ByName, "maria", "", nil},
		{"both words once", view.ByName, "müller", "", []string{muller, anna}},
		{"and the state", view.ByName, "anna", wallet.NonChargeable, []string{annabel}},
		{"family name in Japanese", view.ByName, "山", "", []string{taro}},
		{"given name in Japanese", view.ByName, "太郎", "", []string{taro}},
		{"wildcards are plain characters", view.ByName, `100%_\`, "", []string{percent}},
		{"a wildcard alone", view.ByName, `%`, "", nil},
		{"e-mail address", view.ByEmail, "anna.mueller@example.com", "", []string{anna}},
		{"its beginning", view.ByEmail, "MUELLER@", "", []string{muller}},
		{"postal code", view.ByPostalCode, "1500041", "", []string{taro}},
		{"its beginning, however it is written", view.ByPostalCode, "SW1A", "", []string{annabel, hanna}},
		{"billing where there is no shipping", view.ByPostalCode, "99999", "", []string{muller}},
		{"id", view.ByID, annabel, "", []string{annabel}},
		{"beginning of an id", view.ByID, "B01-0000000-000000", wallet.Closed, []string{muller}},
		{"another's id", view.ByID, "B02-0000000-0000000", "", nil},
		{"state alone, the newest change first", view.ByState, "", wallet.Chargeable, []string{anna, hanna, taro, percent, "B01-0000000-0000007"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			if got := s.found(c.by, c.term, c.state); !slices.Equal(got, c.want) {
				t.Errorf("%v, not %v", got, c.want)
			}
		})
	}
}

// TestEveryPageGoesOnWhereTheLastEnded: each row once, whatever the size of the
// page, also where many rows are alike and lie in two accounts.
func TestEveryPageGoesOnWhereTheLastEnded(t *testing.T) {
	s := newShop(t)
	var want []string
	for i := range 12 {
		account := wallet.AccountID([]string{"main", "known"}[i%2])
		want = append(want, s.buyer(account, "Anna Annason", "anna@example.com", "12345", "NonChargeable"))
	}
	s.exec(`update walletsync.charge_permissions set changed_at = $1, stored_at = $1`, s.now.Add(-time.Hour))
	s.exec(`update walletsync.refreshes set wanted = 1, attempts = 1, since = $1`, s.now.Add(-time.Hour))
	s.exec(`insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, created_at, expires_at)
		select gen_random_uuid(), account, id, 'address', 'PayAndShip', $1, now() + interval '1 day' from walletsync.charge_permissions`, s.now.Add(-time.Hour))
	slices.Sort(want)
	check := func(name string, ask func(after view.Cursor, limit int) ([]view.Row, view.Cursor, error)) {
		for _, limit := range []int{1, 5, 6, 12, 13} {
			got, pages := s.pages(func(after view.Cursor) ([]view.Row, view.Cursor, error) { return ask(after, limit) })
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" || pages != (12+limit-1)/limit {
				t.Errorf("%s, %d a page, %d pages: %s", name, limit, pages, diff)
			}
		}
	}
	for by, term := range map[string]string{view.ByName: "anna", view.ByEmail: "anna@", view.ByPostalCode: "123", view.ByID: "B01", view.ByState: ""} {
		check(by, func(after view.Cursor, limit int) ([]view.Row, view.Cursor, error) {
			return s.Search(t.Context(), false, view.Query{By: by, Term: term, State: wallet.NonChargeable, After: after, Most: limit})
		})
	}
	for _, f := range view.Filters() {
		check(string(f), func(after view.Cursor, limit int) ([]view.Row, view.Cursor, error) {
			return s.List(t.Context(), false, view.ListQuery{Filter: f, Since: s.now.Add(-24*time.Hour + map[bool]time.Duration{true: 48 * time.Hour}[f == view.Stale]), After: after, Most: limit})
		})
	}
}

func TestListsShowWhatTheyAreOf(t *testing.T) {
	s := newShop(t)
	fine := s.buyer("main", "Fine", "", "", "Chargeable")        // changed an hour ago
	bad := s.buyer("main", "Bad", "", "", "NonChargeable")       // two hours ago
	closed := s.buyer("main", "Closed", "", "", "Closed")        // three
	failing := s.buyer("known", "Failing", "", "", "Chargeable") // four
	s.exec(`update walletsync.refreshes set wanted = 5, done = 4, since = $2, attempts = 3, last_error = '503' where id = $1`, failing, s.now.Add(-5*time.Minute))
	s.exec(`update walletsync.refreshes set wanted = 5, done = 4, since = $2 where id = $1`, bad, s.now.Add(-time.Minute))
	s.exec(`insert into walletsync.refreshes (account, id, wanted, since) values ('main', 'B09-0000000-0000009', 1, $1)`, s.now.Add(-2*time.Minute))
	s.exec(`insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, created_at, expires_at, state, returned_at, ended_at)
		select gen_random_uuid(), 'main', $1, 'address', 'PayAndShip', $2::timestamptz + n * interval '1 minute',
			case n when 3 then now() - interval '1 minute' else now() + interval '1 day' end,
			case n when 1 then 'returned' when 2 then 'completed' else 'started' end, case when n in (1, 2) then now() end, case n when 2 then now() end
		from generate_series(0, 3) n`, fine, s.now.Add(-time.Hour))
	for filter, want := range map[view.Filter][]string{
		view.NotChargeable: {bad},
		view.UpdatedToday:  {fine, bad, closed},
		view.UpdatePending: {fine, fine}, // returned, and started; not what is over
		view.Waiting:       {failing, "B09-0000000-0000009", bad},
		view.Failing:       {failing},
		view.Stale:         {failing, bad}, // what is closed changes no more
	} {
		since := s.now.Add(-3*time.Hour - time.Minute)
		if filter == view.Stale {
			since = s.now.Add(-90 * time.Minute)
		}
		got, _ := s.pages(func(after view.Cursor) ([]view.Row, view.Cursor, error) {
			return s.List(t.Context(), false, view.ListQuery{Filter: filter, Since: since, After: after, Most: 2})
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", filter, got, want)
		}
	}
	rows, _, err := s.List(t.Context(), false, view.ListQuery{Filter: view.Waiting, Most: 10})
	if err != nil {
		t.Fatal(err)
	}
	if r := rows[0]; r.FailedAttempts != 3 || *r.LastError != "503" || !r.At.Equal(s.now.Add(-5*time.Minute)) || *r.Name != "Failing" || !*r.Chargeable {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; r.Name != nil || r.Chargeable != nil {
		t.Errorf("never read, and yet %+v", r)
	}
}

// personal is data that masked users must not see.
var personal = []string{"Secretname", "secret@example.com", "Secretstreet", "Secretcity", "SE1 1CR", "+49 555", "1234", "amzn1.account.SECRET"}

func TestMaskedReadersSeeNoPersonalData(t *testing.T) {
	s := newShop(t)
	id := s.buyer("main", "Secretname", "secret@example.com", "SE1 1CR", "Chargeable")
	s.exec(`update walletsync.charge_permissions set shipping_name = 'Secretname', shipping_line1 = 'Secretstreet', shipping_city = 'Secretcity', shipping_phone = '+49 555', shipping_country_code = 'GB',
		billing_name = 'Secretname', billing_city = 'Secretcity', buyer_phone = '+49 555', buyer_id = 'amzn1.account.SECRET', payment_descriptors = array['Visa ****1234']`)
	s.exec(`insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, before, after, cause, stored_at)
		values (1, 'main', $1, 'shipping_address', '{"name":"Secretname","country_code":"DE"}', '{"name":"Secretname","city":"Secretcity","country_code":"GB"}', 'ipn', now())`, id)
	for _, masked := range []bool{false, true} {
		rows, _, err := s.Search(t.Context(), masked, view.Query{By: view.ByID, Term: id, Most: 5})
		if err != nil {
			t.Fatal(err)
		}
		record, found, err := s.Record(t.Context(), masked, "main", wallet.ChargePermissionID(id), 0)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		said := words(t, rows) + words(t, record)
		for _, p := range personal {
			if strings.Contains(said, p) == masked {
				t.Errorf("masked %v: %s in %s", masked, p, said)
			}
		}
		if !strings.Contains(said, `"GB"`) || !strings.Contains(said, "Visa ****") {
			t.Errorf("masked %v: data is missing: %s", masked, said)
		}
	}
}

// words is a model as a program reads it.
func words(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestARecordIsReadWhole(t *testing.T) {
	s := newShop(t)
	id := wallet.ChargePermissionID(s.buyer("main", "Anna", "", "", "Chargeable"))
	s.buyer("main", "Another", "", "", "Chargeable")
	s.exec(`insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
		select n, 'main', case when n % 2 = 0 then $1 else 'B01-0000000-0000002' end, 'state', 'ipn', now() from generate_series(1, 130) n`, id)
	s.exec(`insert into walletsync.notifications (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
		select 'm' || n, 'main', 'n' || n, case n when 7 then 'Refund' else 'CHARGE_PERMISSION' end, $1, $1, 'STATE_CHANGE', $2::timestamptz - n * interval '1 minute', now(), now(), 'wanted'
		from generate_series(1, 30) n`, id, s.now)
	s.exec(`insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, expires_at) values (gen_random_uuid(), 'main', $1, 'both', 'PayAndShip', now())`, id)
	got, found, err := s.Record(t.Context(), false, "main", id, 0)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	if len(got.Timeline) != 30 || got.Timeline[0].Position != 130 || got.TimelineNext != 72 || got.Timeline[29].Position != 72 {
		t.Errorf("timeline from %d to %d, then %d", got.Timeline[0].Position, got.Timeline[29].Position, got.TimelineNext)
	}
	if len(got.Notifications) != 20 || got.Notifications[0].MessageID != "m1" || len(got.RefundAndChargebackNotifications) != 1 || got.RefundAndChargebackNotifications[0].ObjectType != "REFUND" || len(got.Updates) != 1 {
		t.Errorf("%d notifications, %+v, %+v", len(got.Notifications), got.RefundAndChargebackNotifications, got.Updates)
	}
	if *got.Buyer.Name != "Anna" || !got.PaymentState.Chargeable || *got.ShippingAddress.City != "City" || got.Freshness.StoredAt == nil {
		t.Errorf("%+v", got)
	}
	if got, _, err = s.Record(t.Context(), false, "main", id, got.TimelineNext); err != nil || got.Timeline[0].Position != 70 || len(got.Timeline) != 30 {
		t.Errorf("%+v, %v", got.Timeline, err)
	}
	if got, _, err = s.Record(t.Context(), false, "main", id, got.TimelineNext); err != nil || len(got.Timeline) != 5 || got.TimelineNext != 0 {
		t.Errorf("%+v, %v", got.Timeline, err)
	}
	for _, other := range []struct {
		account wallet.AccountID
		id      wallet.ChargePermissionID
	}{{"known", id}, {"main", "B01-9999999-9999999"}, {"none", id}} {
		if _, found, err := s.Record(t.Context(), false, other.account, other.id, 0); found || err != nil {
			t.Errorf("%+v: %v %v", other, found, err)
		}
	}
	s.exec(`update walletsync.charge_permissions set followed = false where id = $1`, id)
	if _, found, _ := s.Record(t.Context(), false, "main", id, 0); found {
		t.Error("one that is not followed is shown")
	}
}

// change stores a change, and the notification that brought it so long before.
func (s *shop) change(position int, at time.Time, lag time.Duration) {
	s.t.Helper()
	message := fmt.Sprint("m", position)
	s.exec(`insert into walletsync.notifications (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
		values ($1, 'main', 'n', 'CHARGE_PERMISSION', 'B01-0000000-0000001', 'B01-0000000-0000001', 'STATE_CHANGE', $2, $2, $3, 'wanted')`, message, at.Add(-lag), at)
	s.exec(`insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, message_id, stored_at) values ($1, 'main', 'B01-0000000-0000001', 'state', 'ipn', $2, $3)`, position, message, at)
	s.exec(`update walletsync.feed set n = greatest(n, $1)`, position)
}

func (s *shop) hours() []view.Hour {
	s.t.Helper()
	v, err := s.Overview(s.t.Context(), s.now.Add(-7*24*time.Hour), 5*time.Minute)
	if err != nil {
		s.t.Fatal(err)
	}
	return v.Hours
}

func (s *shop) count(at time.Time) {
	s.t.Helper()
	s.now = at
	for range 2 { // it may be repeated
		if err := s.CountHours(s.t.Context(), "main"); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestHoursAreCountedOnceAndClosed(t *testing.T) {
	s := newShop(t)
	s.buyer("main", "Anna", "", "", "Chargeable")
	one := time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)
	s.change(1, one.Add(-time.Hour), time.Second) // before anybody counted
	s.count(one.Add(10 * time.Minute))
	s.change(2, one.Add(20*time.Minute), time.Second)
	s.change(3, one.Add(30*time.Minute), 3*time.Second)
	s.exec(`update walletsync.api_quota set granted = 40 where account = 'main' and call = 'get_charge_permission'`)
	s.exec(`update walletsync.refreshes set wanted = 1, attempts = 1, since = $1 where account = 'main'`, one.Add(35*time.Minute))
	s.count(one.Add(40 * time.Minute))
	s.exec(`update walletsync.refreshes set done = 1, attempts = 0 where account = 'main'`)
	// Stored in the hour, and after the last count in it; and one of the next hour
	// that got its position first.
	s.change(5, one.Add(59*time.Minute), 5*time.Second)
	s.change(4, one.Add(61*time.Minute), time.Second)
	s.exec(`update walletsync.api_quota set granted = 100 where account = 'main' and call = 'get_charge_permission'`)
	s.count(one.Add(62 * time.Minute))
	s.change(6, one.Add(100*time.Minute), time.Second)
	s.count(one.Add(125 * time.Minute))
	got := s.hours()
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	first, second, third := got[0], got[1], got[2]
	if !first.Hour.Equal(one) || first.Changes != 3 || first.Notifications != 3 || *first.LagP50 != 3 || *first.LagP95 < 4 || first.Failing != 1 || first.OldestWanted != 300 || first.Fetched != nil {
		t.Errorf("%+v %v %v", first, *first.LagP50, *first.LagP95)
	}
	if second.Changes != 2 || second.Notifications != 2 || second.Failing != 0 || second.OldestWanted != 0 || *second.Fetched != 60 || *second.LagP50 != 1 {
		t.Errorf("%+v", second)
	}
	// The quota is four a second.
	if used := *second.QuotaUsed; used < 60.0/14400-1e-9 || used > 60.0/14400+1e-9 {
		t.Errorf("%v of the quota", used)
	}
	if third.Changes != 0 || third.LagP50 != nil || *third.Fetched != 0 {
		t.Errorf("%+v", third)
	}
}

func TestCountingGoesOnAfterAnInterruption(t *testing.T) {
	s := newShop(t)
	s.buyer("main", "Anna", "", "", "Chargeable")
	one := time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)
	s.count(one.Add(5 * time.Minute))
	s.change(1, one.Add(10*time.Minute), time.Second)
	s.change(2, one.Add(130*time.Minute), time.Second)
	s.exec(`update walletsync.api_quota set granted = 500 where account = 'main'`)
	s.count(one.Add(190 * time.Minute))
	got := s.hours()
	var changes []int
	for _, h := range got {
		changes = append(changes, h.Changes)
		if h.Fetched != nil && *h.Fetched != 0 {
			t.Errorf("%d calls in %v, which were not counted", *h.Fetched, h.Hour)
		}
	}
	if diff := cmp.Diff([]int{1, 0, 1, 0}, changes); diff != "" {
		t.Error(diff)
	}
	// After more than a day it restarts at the end of the feed, and skips what it missed.
	s.change(3, one.Add(20*time.Hour), time.Second)
	s.count(one.Add(60 * time.Hour))
	if got := s.hours(); len(got) != 5 || got[4].Changes != 0 || !got[4].Hour.Equal(one.Add(60*time.Hour)) {
		t.Errorf("%+v", got)
	}
}

func TestTheOverviewShowsTheCurrentState(t *testing.T) {
	s := newShop(t)
	id := s.buyer("main", "Anna", "", "", "Chargeable")
	s.change(1, s.now.Add(-time.Minute), time.Second)
	s.exec(`update walletsync.refreshes set wanted = 1, attempts = 2, since = $1 where id = $2`, s.now.Add(-10*time.Minute), id)
	s.exec(`update walletsync.api_quota set closed_until = $1, closed_why = 'why' where account = 'main' and call = 'get_charge_permission'`, s.now.Add(time.Minute))
	v, err := s.Overview(t.Context(), s.now.Add(-time.Hour), 5*time.Minute)
	if err != nil || len(v.Accounts) != 2 {
		t.Fatalf("%+v %v", v, err)
	}
	known, main := v.Accounts[0], v.Accounts[1]
	if main.Failing != 1 || !main.OldestWantedSince.Equal(s.now.Add(-10*time.Minute)) || *main.ClosedWhy != "why" || !main.LastNotificationAt.Equal(s.now.Add(-time.Minute)) || main.Burst != 20 || main.Tokens != 20 {
		t.Errorf("%+v", main)
	}
	if known.Failing != 0 || known.OldestWantedSince != nil || known.ClosedUntil != nil || known.LastNotificationAt != nil {
		t.Errorf("%+v", known)
	}
	if !v.LastChangeAt.Equal(s.now.Add(-time.Minute)) {
		t.Errorf("%v", v.LastChangeAt)
	}
}

package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/local/pg"
	"walletsync/internal/pg/migrate"
)

func exec(t testing.TB, db *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// text returns the rows of a query as Postgres writes them.
func text(t testing.TB, db *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), `select r::text from (`+sql+`) r`, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return all
}

// same fails unless the query's rows are these.
func same(t testing.TB, db *pgx.Conn, sql string, want ...string) {
	t.Helper()
	if got := text(t, db, sql); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", sql, got, want)
	}
}

// personal are the values of the buyer of seed that are personal data.
var personal = []string{
	"Ada Personal", "ada@personal.example", "+49 151 999", "amzn1.account.PERSONAL",
	"Shipping Personal", "Personal Street 1", "Personal Yard 2", "Personal Floor 3", "Personalcity", "Personalcounty", "Personaldistrict", "98765", "+49 30 888",
	"Billing Personal", "Bill Street 1", "Bill Yard 2", "Bill Floor 3", "Billcity", "Billcounty", "Billdistrict", "54321", "+49 40 777",
	"4242",
}

const wallet1 = "B01-0000001-0000001"

// seed puts one charge permission there, read once, changed once in each facet,
// with a refund and an update that failed.
func seed(t testing.TB, db *pgx.Conn) {
	t.Helper()
	exec(t, db, `insert into walletsync.accounts (id, merchant_id, environment, region, ledger_currency, follow_types)
		values ('main', 'M1', 'live', 'EU', 'EUR', '{PaymentMethodOnFile}'), ('second', 'M2', 'live', 'EU', 'EUR', '{PaymentMethodOnFile}')`)
	exec(t, db, `insert into walletsync.charge_permissions (
			account, id, type, followed, state, reasons, state_updated_at, buyer_id, buyer_name, buyer_email, buyer_phone, payment_descriptors,
			shipping_name, shipping_line1, shipping_line2, shipping_line3, shipping_city, shipping_county, shipping_district,
			shipping_state_or_region, shipping_postal_code, shipping_country_code, shipping_phone,
			billing_name, billing_line1, billing_line2, billing_line3, billing_city, billing_county, billing_district,
			billing_state_or_region, billing_postal_code, billing_country_code, billing_phone,
			limit_amount, balance_amount, limit_currency, read_at, request_id, cause, stored_at, changed_at, raw)
		values ('main', $1, 'PaymentMethodOnFile', true, 'Chargeable', '[]', '2026-10-01Z', 'amzn1.account.PERSONAL', 'Ada Personal', 'ada@personal.example', '+49 151 999', '{Visa ****4242 (Amazon Pay)}',
			'Shipping Personal', 'Personal Street 1', 'Personal Yard 2', 'Personal Floor 3', 'Personalcity', 'Personalcounty', 'Personaldistrict', 'Region', '98765', 'DE', '+49 30 888',
			'Billing Personal', 'Bill Street 1', 'Bill Yard 2', 'Bill Floor 3', 'Billcity', 'Billcounty', 'Billdistrict', 'Land', '54321', 'AT', '+49 40 777',
			500, 120.50, 'EUR', '2026-11-02 10:00Z', 'REQ-2', 'confirm', '2026-11-02 10:00:01Z', '2026-11-02 10:00:01Z', '{}')`, wallet1)
	shipping := `{"name":"Shipping Personal","line1":"Personal Street 1","line2":"Personal Yard 2","line3":"Personal Floor 3","city":"Personalcity","county":"Personalcounty","district":"Personaldistrict","state_or_region":"Region","postal_code":"98765","country_code":"DE","phone":"+49 30 888"}`
	billing := `{"name":"Billing Personal","line1":"Bill Street 1","line2":"Bill Yard 2","line3":"Bill Floor 3","city":"Billcity","county":"Billcounty","district":"Billdistrict","state_or_region":"Land","postal_code":"54321","country_code":"AT","phone":"+49 40 777"}`
	buyer := `{"buyer_id":"amzn1.account.PERSONAL","name":"Ada Personal","email":"ada@personal.example","phone":"+49 151 999"}`
	method := `{"payment_descriptors":["Visa ****4242 (Amazon Pay)"]}`
	first := `{"shipping_address":{"name":"Ada Personal","city":"Personalcity","country_code":"FR"},"billing_address":` + billing + `,"buyer":` + buyer + `,"payment_method":` + method + `,"state":{"state":"Chargeable"},"not known yet":{"email":"ada@personal.example"}}`
	for i, c := range []struct{ facet, before, after, at string }{
		{"first_read", "", first, "2026-11-01 10:00Z"},
		{"shipping_address", `{"name":"Ada Personal","city":"Personalcity","country_code":"FR"}`, shipping, "2026-11-02 10:00:01Z"},
		{"billing_address", billing, billing, "2026-11-02 10:00:01Z"},
		{"buyer", buyer, buyer, "2026-11-02 10:00:01Z"},
		{"payment_method", method, method, "2026-11-02 10:00:01Z"},
		{"state", `{"state":"NonChargeable","reason_codes":["PaymentMethodExpired"]}`, `{"state":"Chargeable"}`, "2026-11-02 10:00:01Z"},
		{"limit", "", `{"limit_amount":"500","limit_currency":"EUR"}`, "2026-11-02 10:00:01Z"},
		{"not known yet", buyer, shipping, "2026-11-02 10:00:01Z"},
	} {
		exec(t, db, `insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, before, after, cause, message_id, request_id, read_at, stored_at)
			values ($1, 'main', $2, $3, nullif($4, '')::jsonb, $5::jsonb, 'ipn', 'm1', 'REQ-1', $6::timestamptz - interval '1 s', $6::timestamptz)`,
			i+1, wallet1, c.facet, c.before, c.after, c.at)
	}
	exec(t, db, `update walletsync.feed set n = 8`)
	exec(t, db, `insert into walletsync.refreshes (account, id, wanted, done, claimed, since, priority, notified_at, read_at, attempts, last_error)
		values ('main', $1, 3, 2, 2, '2026-11-03Z', 40, '2026-11-02 09:59:59Z', '2026-11-02 10:00Z', 1, 'timed out')`, wallet1)
	exec(t, db, `insert into walletsync.notifications (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
		select 'm' || n, 'main', 'n' || n, o, $1 || '-' || n, $1, 'STATE_CHANGE', '2026-11-02Z', '2026-11-02Z', '2026-11-02Z', 'wanted'
		from unnest(array['CHARGE_PERMISSION', 'Refund', 'CHARGEBACK', 'CHARGE']) with ordinality x (o, n)`, wallet1)
	exec(t, db, `insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, details, created_at, expires_at, state, reason, returned_at, ended_at)
		values ('00000000-0000-0000-0000-000000000001', 'main', $1, 'both', 'PayAndShip', '{"merchantMetadata":{"noteToBuyer":"Ada Personal"}}', '2026-11-01Z', '2026-11-02Z', 'failed', 'BuyerCanceled', '2026-11-01 01:00Z', '2026-11-01 01:00Z'),
		       ('00000000-0000-0000-0000-000000000002', 'main', $1, 'address', 'PayAndShip', '{}', '2026-11-03Z', 'infinity', 'started', null, null, null),
		       ('00000000-0000-0000-0000-000000000003', 'main', $1, 'address', 'PayAndShip', '{}', '2026-11-04Z', '2026-11-05Z', 'started', null, null, null)`, wallet1)
	exec(t, db, `insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at, outcome, reason, ended_at)
		values ('main', 'cs1', '00000000-0000-0000-0000-000000000001', '2026-11-01Z', 'failed', 'BuyerCanceled', '2026-11-01Z'),
		       ('main', 'cs2', '00000000-0000-0000-0000-000000000001', '2026-11-01Z', 'failed', 'BuyerCanceled', '2026-11-01Z')`)
}

// everything returns all rows of all that a schema offers.
func everything(t testing.TB, db *pgx.Conn, all []relation, schema string) string {
	t.Helper()
	var b strings.Builder
	for _, r := range all {
		if r.Schema == schema && r.Kind == "view" {
			rows := text(t, db, `select * from `+schema+`.`+r.Name)
			if len(rows) == 0 {
				t.Fatalf("%s.%s has no rows to look at", schema, r.Name)
			}
			b.WriteString(strings.Join(rows, "\n"))
		}
	}
	for _, call := range []string{"changes_after(0)", "address_as_of('" + wallet1 + "', now())", "address_as_of('" + wallet1 + "', '2026-11-01 12:00Z')", "address_as_of('" + wallet1 + "', now(), 'billing')"} {
		rows := text(t, db, `select * from `+schema+`.`+call)
		if len(rows) == 0 {
			t.Fatalf("%s.%s has no rows to look at", schema, call)
		}
		b.WriteString(strings.Join(rows, "\n"))
	}
	return b.String()
}

func TestTheMaskedReaderSeesNoPersonalData(t *testing.T) {
	db := migrated(t)
	all := contract(t, db)
	seed(t, db)
	exec(t, db, `set role walletsync_reader`)
	open := everything(t, db, all, "back_office")
	exec(t, db, `set role walletsync_reader_masked`)
	masked := everything(t, db, all, "back_office_masked")
	for _, value := range personal {
		if !strings.Contains(open, value) {
			t.Errorf("%q is not to be seen by walletsync_reader, so that this test shows nothing", value)
		}
		if strings.Contains(masked, value) {
			t.Errorf("the masked reader sees %q", value)
		}
	}
	for _, value := range []string{"Visa", "Region", "DE", "PaymentMethodExpired", "500", "BuyerCanceled", wallet1} {
		if !strings.Contains(masked, value) {
			t.Errorf("the masked reader does not see %q, which is nobody's", value)
		}
	}
	same(t, db, `select before, after from back_office_masked.timeline where facet = 'shipping_address'`,
		`("{""country_code"": ""FR""}","{""country_code"": ""DE"", ""state_or_region"": ""Region""}")`)
	same(t, db, `select before, after from back_office_masked.timeline where facet = 'not known yet'`, `(,)`)
	same(t, db, `select after from back_office_masked.timeline where facet = 'first_read'`,
		`("{""state"": {""state"": ""Chargeable""}, ""payment_method"": {""payment_descriptors"": [""Visa ******** (Amazon Pay)""]}, ""billing_address"": {""country_code"": ""AT"", ""state_or_region"": ""Land""}, ""shipping_address"": {""country_code"": ""FR""}}")`)
	if _, err := db.Exec(t.Context(), `select * from back_office.buyers`); !denied(err) {
		t.Errorf("the masked reader reads back_office: %v", err)
	}
}

// denied reports whether the server refused for want of a right, or, of a view
// over several tables, because nobody can write to it.
func denied(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "42501" || refused.Code == "55000")
}

func TestReadersCanReadTheContractAndNothingElse(t *testing.T) {
	db := migrated(t)
	all := contract(t, db)
	seed(t, db)
	inner := text(t, db, `select c.relname from pg_class c where c.relnamespace = 'walletsync'::regnamespace and c.relkind in ('r', 'v', 'm', 'p', 'S')`)
	if len(inner) < 8 {
		t.Fatalf("the inner schema has %q", inner)
	}
	for _, role := range []string{"walletsync_reader", "walletsync_reader_masked"} {
		schema := strings.Replace(role, "walletsync_reader", "back_office", 1)
		exec(t, db, `set role `+role)
		refused := func(sql string) {
			t.Helper()
			if _, err := db.Exec(t.Context(), sql); !denied(err) {
				t.Errorf("%s: %s: %v", role, sql, err)
			}
		}
		for _, name := range inner {
			table := "walletsync." + strings.Trim(name, "()")
			refused(`select from ` + table)
			refused(`delete from ` + table)
			refused(`truncate ` + table)
		}
		refused(`insert into walletsync.feed_cursors values ('x', 0, now())`)
		refused(`update walletsync.feed set n = 0`)
		refused(`select walletsync.masked('state', '{}')`)
		for _, r := range all {
			if r.Schema != schema {
				if r.Kind == "view" {
					refused(`select from ` + r.Schema + `.` + r.Name)
				} else {
					refused(`select ` + r.Schema + `.` + r.Name + map[string]string{"changes_after": `(0)`, "address_as_of": `('x', now())`}[r.Name])
				}
				continue
			}
			if r.Kind == "view" {
				refused(`delete from ` + r.Schema + `.` + r.Name)
				refused(`update ` + r.Schema + `.` + r.Name + ` set ` + r.Columns[0].Name + ` = null`)
				refused(`insert into ` + r.Schema + `.` + r.Name + ` default values`)
				refused(`create or replace view ` + r.Schema + `.` + r.Name + ` as select 1`)
			}
		}
		refused(`create table ` + schema + `.mine (n int)`)
		refused(`create table walletsync.mine (n int)`)
		refused(`create schema mine`)
		everything(t, db, all, schema)
		exec(t, db, `reset role`)
	}
}

// TestTheMigratorSaysWhatItMayNot migrates as a role that may create no roles,
// as a merchant's administrator may well have it: only the back office's readers
// have to wait for an administrator.
func TestTheMigratorSaysWhatItMayNot(t *testing.T) {
	o, err := pg.FromEnvironment(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	server, err := pg.Start(t.Context(), o) // one without our roles
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if err := server.Exec(t.Context(), `create role plain login`, `create database plain owner plain`); err != nil {
		t.Fatal(err)
	}
	as, err := url.Parse(server.URL("plain"))
	if err != nil {
		t.Fatal(err)
	}
	as.User = url.User("plain")
	first, second := "create role walletsync_reader nologin", "create role walletsync_reader_masked nologin"
	for _, left := range []string{first + "; " + second, second, ""} {
		done, err := migrate.Run(context.WithoutCancel(t.Context()), as.String(), "", nil)
		if err != nil || done.ByHand != left || done.To != done.Known {
			t.Fatalf("%+v, %v; left to an administrator should be %q", done, err, left)
		}
		run, _, _ := strings.Cut(left, "; ")
		if run == "" {
			continue
		}
		if err := server.Exec(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	db := connect(t, server.URL("plain"))
	for _, schema := range []string{"back_office", "back_office_masked"} {
		exec(t, db, `set role `+strings.Replace(schema, "back_office", "walletsync_reader", 1))
		same(t, db, `select last_position from `+schema+`.feed`, "(0)")
		exec(t, db, `reset role`)
	}
}

func TestAddressesAreThoseOfTheirTime(t *testing.T) {
	db := migrated(t)
	seed(t, db)
	same(t, db, `select account, city, postal_code, since, as_of from back_office.shipping_addresses where charge_permission_id = '`+wallet1+`'`,
		`(main,Personalcity,98765,"2026-11-02 10:00:01+00","2026-11-02 10:00:00+00")`)
	same(t, db, `select city, country_code from back_office.billing_addresses where account = 'main' and charge_permission_id = '`+wallet1+`'`, `(Billcity,AT)`)
	asOf := func(at, more string) string {
		return `select account, name, country_code, since, position from back_office.address_as_of('` + wallet1 + `', '` + at + `'` + more + `)`
	}
	same(t, db, asOf("2026-11-01 09:59Z", ""))
	same(t, db, asOf("2026-11-01 10:00Z", ""), `(main,"Ada Personal",FR,"2026-11-01 10:00:00+00",1)`)
	same(t, db, asOf("2026-11-02 10:00:00.9Z", ""), `(main,"Ada Personal",FR,"2026-11-01 10:00:00+00",1)`)
	same(t, db, asOf("2026-11-02 10:00:01Z", ""), `(main,"Shipping Personal",DE,"2026-11-02 10:00:01+00",2)`)
	same(t, db, asOf("2026-11-01 12:00Z", ", 'billing'"), `(main,"Billing Personal",AT,"2026-11-01 10:00:00+00",1)`)
	same(t, db, asOf("2026-11-03Z", ", 'billing', 'main'"), `(main,"Billing Personal",AT,"2026-11-02 10:00:01+00",3)`)
	same(t, db, asOf("2026-11-03Z", ", in_account => 'second'"))
	same(t, db, asOf("2026-11-03Z", ", 'home'"))

	// Two accounts that know the same id are told apart.
	exec(t, db, `insert into walletsync.charge_permissions (account, id, type, followed, stored_at, changed_at) values ('second', $1, 'PaymentMethodOnFile', true, now(), now())`, wallet1)
	exec(t, db, `insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, after, cause, stored_at)
		values (9, 'second', $1, 'first_read', '{}', 'ipn', '2026-11-05Z')`, wallet1)
	same(t, db, asOf("2026-11-06Z", ""), `(main,"Shipping Personal",DE,"2026-11-02 10:00:01+00",2)`, `(second,,,"2026-11-05 00:00:00+00",9)`)

	// An erasure leaves nothing of any time.
	exec(t, db, `update walletsync.charge_permission_changes set before = null, after = null where account = 'main'`)
	exec(t, db, `insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
		values (10, 'main', $1, 'erased', 'refresh', '2026-11-07Z')`, wallet1)
	for _, at := range []string{"2026-11-01 12:00Z", "2026-11-03Z", "2026-11-08Z"} {
		same(t, db, `select name, country_code from back_office.address_as_of('`+wallet1+`', '`+at+`', in_account => 'main')`, "(,)")
	}
}

func TestPaymentStatesSayWhatTheBuyerMustDo(t *testing.T) {
	db := migrated(t)
	exec(t, db, `insert into walletsync.accounts (id, merchant_id, environment, region, ledger_currency, follow_types) values ('main', 'M1', 'live', 'EU', 'EUR', '{}')`)
	reason := func(codes ...string) string {
		for i, c := range codes {
			codes[i] = fmt.Sprintf(`{"code":%q,"description":"because of %s"}`, c, c)
		}
		return "[" + strings.Join(codes, ",") + "]"
	}
	for i, c := range []struct {
		state, reasons string
		gone           bool
		chargeable     string
		must, whyNot   string
	}{
		{"Chargeable", "[]", false, "t", "nothing", ""},
		{"Chargeable", "[]", true, "f", "set_up_again", "Amazon Pay does not know this charge permission"},
		{"NonChargeable", reason("PaymentMethodInvalid"), false, "f", "update", "because of PaymentMethodInvalid"},
		{"NonChargeable", reason("PaymentMethodDeleted"), false, "f", "update", "because of PaymentMethodDeleted"},
		{"NonChargeable", reason("BillingAddressDeleted"), false, "f", "update", "because of BillingAddressDeleted"},
		{"NonChargeable", reason("PaymentMethodExpired"), false, "f", "update", "because of PaymentMethodExpired"},
		{"NonChargeable", reason("PaymentMethodNotAllowed"), false, "f", "update", "because of PaymentMethodNotAllowed"},
		{"NonChargeable", reason("PaymentMethodNotSet"), false, "f", "update", "because of PaymentMethodNotSet"},
		{"NonChargeable", `[{"code":"MFAFailed"}]`, false, "f", "update", "MFAFailed"},
		{"NonChargeable", reason("ChargeInProgress"), false, "f", "wait", "because of ChargeInProgress"},
		{"NonChargeable", reason("PeriodicAmountExceeded"), false, "f", "wait", "because of PeriodicAmountExceeded"},
		{"NonChargeable", reason("ChargeInProgress", "MFAFailed"), false, "f", "update", "because of ChargeInProgress; because of MFAFailed"},
		{"NonChargeable", reason("Newfangled"), false, "f", "unknown", "because of Newfangled"},
		{"NonChargeable", "[]", false, "f", "unknown", "NonChargeable"},
		{"Closed", reason("BuyerClosed"), false, "f", "set_up_again", "because of BuyerClosed"},
		{"Closed", "[]", false, "f", "set_up_again", "Closed"},
	} {
		id := fmt.Sprintf("B01-0000000-%07d", i)
		exec(t, db, `insert into walletsync.charge_permissions (account, id, type, followed, state, reasons, state_updated_at, stored_at, changed_at)
			values ('main', $1, 'PaymentMethodOnFile', true, $2, $3::jsonb, '2026-11-01Z', now(), now())`, id, c.state, c.reasons)
		exec(t, db, `insert into walletsync.refreshes (account, id, gone_at) values ('main', $1, case when $2::boolean then now() end)`, id, c.gone)
		var chargeable, must, whyNot string
		if err := db.QueryRow(t.Context(), `select chargeable::text, required_action, coalesce(reason, '') from back_office.payment_states where charge_permission_id = $1`, id).
			Scan(&chargeable, &must, &whyNot); err != nil {
			t.Fatal(err)
		}
		if chargeable[:1] != c.chargeable || must != c.must || whyNot != c.whyNot {
			t.Errorf("%s %s: chargeable %s, must %q, why not %q", c.state, c.reasons, chargeable, must, whyNot)
		}
	}
}

func TestFreshnessUpdatesAndRefundNotificationsAreShown(t *testing.T) {
	db := migrated(t)
	seed(t, db)
	exec(t, db, `set role walletsync_reader`)
	of := ` where charge_permission_id = '` + wallet1 + `'`
	same(t, db, `select as_of, last_cause, amazon_request_id, refresh_pending, pending_since, pending_cause, next_attempt_at, failed_attempts, last_error from back_office.freshness`+of,
		`("2026-11-02 10:00:00+00",confirm,REQ-2,t,"2026-11-03 00:00:00+00",confirm,,1,"timed out")`)
	same(t, db, `select since, payment_descriptor, limit_amount, limit_remaining, limit_currency from back_office.payment_states`+of,
		`("2026-10-01 00:00:00+00","Visa ****4242 (Amazon Pay)",500,120.50,EUR)`)
	same(t, db, `select requested, open, state, failure_reason, attempts from back_office.updates`+of+` order by started_at desc`,
		`(address,f,started,,0)`, `(address,t,started,,0)`, `(both,f,failed,BuyerCanceled,2)`)
	same(t, db, `select object_type, object_id from back_office.refund_and_chargeback_notifications`+of+` order by object_id`,
		`(REFUND,`+wallet1+`-2)`, `(CHARGEBACK,`+wallet1+`-3)`)
	same(t, db, `select position, facet, after ->> 'limit_amount' from back_office.timeline`+of+` and facet = 'limit'`, `(7,limit,500)`)

	// Wanted and not yet read, and of a type that is not followed.
	exec(t, db, `reset role`)
	exec(t, db, `insert into walletsync.refreshes (account, id, wanted, priority, since) values ('main', 'B01-0000002-0000002', 1, 70, '2026-11-03Z'), ('main', 'B01-0000003-0000003', 0, 20, '2026-11-03Z')`)
	exec(t, db, `insert into walletsync.charge_permissions (account, id, type, followed, stored_at, changed_at) values ('main', 'B01-0000003-0000003', 'OneTime', false, now(), now())`)
	same(t, db, `select charge_permission_id, as_of, pending_cause from back_office.freshness where charge_permission_id <> '`+wallet1+`'`, `(B01-0000002-0000002,,import)`)
	same(t, db, `select count(*) from back_office.payment_states`, "(1)")
}

func TestTheFeedIsPagedByItsCursor(t *testing.T) {
	db := migrated(t)
	seed(t, db)
	exec(t, db, `set role walletsync_reader`)
	page := func(call string) string { return `select position from back_office.changes_after(` + call + `)` }
	same(t, db, page("0, 3"), "(1)", "(2)", "(3)")
	same(t, db, page("3, 3"), "(4)", "(5)", "(6)")
	same(t, db, page("6"), "(7)", "(8)")
	same(t, db, page("8"))
	same(t, db, page("0, 0"))
	same(t, db, page("0, -1"))
	same(t, db, page("7, null"), "(8)")
	same(t, db, `select last_position from back_office.feed`, "(8)")
	exec(t, db, `reset role`)
	exec(t, db, `insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
		select n, 'main', $1, 'state', 'ipn', now() from generate_series(9, 20008) n`, wallet1)
	exec(t, db, `set role walletsync_reader`)
	same(t, db, `select count(*), min(position), max(position) from back_office.changes_after(0, 1000000)`, "(10000,1,10000)")
	same(t, db, `select count(*) from back_office.changes_after(0)`, "(1000)")
}

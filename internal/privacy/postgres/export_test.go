package postgres_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"walletsync/internal/pg/pgtest"
	"walletsync/internal/wallet"
)

// ofPeople are the tables with rows about people, each with the condition for the
// rows of one charge permission.
var ofPeople = map[string]string{
	"charge_permissions":        `id = $1`,
	"refreshes":                 `id = $1`,
	"charge_permission_changes": `charge_permission = $1`,
	"notifications":             `charge_permission = $1`,
	"update_sessions":           `charge_permission = $1`,
	"update_attempts":           `update_session in (select id from walletsync.update_sessions where charge_permission = $1)`,
	"console_access":            `charge_permission = $1`,
}

// ofNoPerson are the other tables.
var ofNoPerson = []string{"accounts", "api_quota", "feed", "feed_cursors", "hours", "migrations"}

// leaves calls each for every string in a JSON document.
func leaves(v any, each func(string)) {
	switch v := v.(type) {
	case string:
		each(v)
	case []any:
		for _, m := range v {
			leaves(m, each)
		}
	case map[string]any:
		for _, m := range v {
			leaves(m, each)
		}
	}
}

func decode(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestAnExportContainsAllPersonalData(t *testing.T) {
	u := pgtest.New(t)
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{"not documented": "Ada raw"}`)
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada2"), `{"not documented": "Ada2 raw"}`)
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Bert"), `{}`)
	u.StartSession(1)
	if _, err := u.Begin(t.Context(), pgtest.SessionID(1), pgtest.CheckoutOne, pgtest.Token(1), time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`update walletsync.refreshes set last_error = 'an error about ' || id, notified_by = 'message of ' || id`,
		`update walletsync.update_sessions set details = '{"merchantMetadata":{"noteToBuyer":"Ada''s note"}}', start_url = 'https://shop.example/Ada'`,
		`insert into walletsync.notifications (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
			select 'message of ' || id, 'main', 'notification of ' || id, 'CHARGE_PERMISSION', id, id, 'STATE_CHANGE', now(), now(), now(), 'wanted' from walletsync.charge_permissions`,
		`insert into walletsync.console_access (id, subject, name, role, action, account, charge_permission)
			select gen_random_uuid(), 'clerk of ' || id, 'Carla', 'act', 'opened', 'main', id from walletsync.charge_permissions`,
	} {
		u.Exec(sql)
	}
	document, err := u.ExportPerson(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne})
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	leaves(decode(t, string(document)), func(s string) { exported[s] = true })
	for table, where := range ofPeople {
		rows := u.Text(`select coalesce(json_agg(to_jsonb(t)), '[]') from walletsync.`+table+` t where `+where, pgtest.PermissionOne)
		n := 0
		leaves(decode(t, rows), func(s string) {
			n++
			if !exported[s] {
				t.Errorf("%s has %q, which the document does not contain", table, s)
			}
		})
		if n == 0 {
			t.Errorf("%s is empty: this test proves nothing about it", table)
		}
	}
	for _, other := range []string{"Bert", string(pgtest.PermissionTwo)} {
		if strings.Contains(string(document), other) {
			t.Errorf("the document contains %s", other)
		}
	}
	for _, table := range strings.Fields(u.Text(`select string_agg(table_name, ' ') from information_schema.tables where table_schema = 'walletsync' and table_type = 'BASE TABLE'`)) {
		if ofPeople[table] == "" && !slices.Contains(ofNoPerson, table) {
			t.Errorf("%s is new: add it to ofNoPerson, or to ofPeople and export.sql if its rows are about people", table)
		}
	}
	// Erased data is not exported, but the erasure is.
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	if document, err = u.ExportPerson(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}); err != nil || strings.Contains(string(document), "Ada") || !strings.Contains(string(document), `"erased"`) {
		t.Errorf("%v: %s", err, document)
	}
}

func TestABuyerIsFoundByTheirID(t *testing.T) {
	u := pgtest.New(t)
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Ada"), `{}`)
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	for _, c := range []struct {
		account wallet.AccountID
		buyer   string
		want    int
	}{{"", "Ada", 2}, {"main", "Ada", 2}, {"known", "Ada", 0}, {"", "Bert", 0}} {
		all, at, err := u.OfBuyer(t.Context(), c.account, c.buyer)
		if err != nil || len(all) != c.want || len(all) > 0 && (all[0].ID != pgtest.PermissionOne || !at.Equal(u.Now)) {
			t.Errorf("%s of %q: %v at %v, %v", c.buyer, c.account, all, at, err)
		}
	}
}

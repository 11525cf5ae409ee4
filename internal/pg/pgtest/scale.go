package pgtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/amazonpay/merchant"
	local "walletsync/internal/local/pg"
	"walletsync/internal/local/scale"
	"walletsync/internal/pg/migrate"
	"walletsync/internal/wallet"
)

var oneAccount = migrate.Account{ID: "main", MerchantID: "M1", Environment: merchant.Live, Region: "EU", LedgerCurrency: "EUR",
	Follow: wallet.DefaultFollowed(), Quotas: wallet.LiveQuotas(), Share: 1}

// Filled returns a connection to a fresh database of one account, with as much in
// it as s says and with a table of the merchant's own.
func Filled(t testing.TB, s scale.Sizes) *pgx.Conn {
	t.Helper()
	return fill(t, migrated(t, "one-account", oneAccount), s)
}

// FilledOn is Filled on a server of the test's own.
func FilledOn(t testing.TB, server *local.Server, s scale.Sizes) *pgx.Conn {
	t.Helper()
	url, err := server.CreateDatabase(t.Context(), fmt.Sprintf("scale_%d", s.Permissions))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrate.Run(t.Context(), url, "", []migrate.Account{oneAccount}); err != nil {
		t.Fatal(err)
	}
	return fill(t, url, s)
}

func fill(t testing.TB, url string, s scale.Sizes) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	if err := scale.Fill(t.Context(), db, s, func(what string) { t.Log(what) }); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), fmt.Sprintf(`
		create schema shop; create table shop.orders (id integer primary key, charge_permission_id text not null);
		insert into shop.orders select row_number() over (), c.id from (select id from walletsync.charge_permissions limit 1100) c;
		analyze shop.orders;
		grant usage on schema shop to walletsync_reader; grant select on shop.orders to walletsync_reader;
		insert into walletsync.feed_cursors values ('push', %d, now())`, s.Permissions*s.Changes/2)); err != nil {
		t.Fatal(err)
	}
	return db
}

// LargeTables are the tables that grow with the merchant, each with the columns by
// which a row of it is found.
var LargeTables = map[string][]string{
	"charge_permissions": {"id", "state", "changed_at", "stored_at",
		"lower(buyer_name)", `lower("substring"(buyer_name,`, "lower(buyer_email)", "upper(regexp_replace(COALESCE(shipping_postal_code,"},
	"charge_permission_changes": {"charge_permission", "position"},
	"refreshes":                 {"id", "since"},
	"notifications":             {"charge_permission", "processed_at", "message_id"},
	"update_sessions":           {"charge_permission", "created_at"},
	"update_attempts":           {"update_session"},
	"hours":                     {"hour"},
}

// Package scale fills a database with as many charge permissions as a large
// merchant has, for benchmarks and for tests of query plans. It needs a
// superuser and a migrated database, empty but for the account main.
package scale

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ID returns the id of the nth charge permission, from 0.
func ID(n int) string { return fmt.Sprintf("B%02d-%07d-%07d", n%100, n/10_000_000, n%10_000_000) }

// sqlID is ID in SQL, of the column n.
const sqlID = `format('B%s-%s-%s', lpad((n % 100)::text, 2, '0'), lpad((n / 10000000)::text, 7, '0'), lpad((n % 10000000)::text, 7, '0'))`

// Sizes are how much there is to be.
type Sizes struct {
	Permissions int
	Changes     int // of each; the first is its first read
}

// steps fill a table each, by sets alone. Foreign keys are not checked, as they
// hold by construction, and indexes are built after their tables are full.
// Every tenth wallet is not chargeable and every hundredth closed. The changes
// of a charge permission are spread over the whole history.
var steps = []struct{ what, sql string }{
	{"charge permissions", `insert into walletsync.charge_permissions (account, id, type, followed, state, reasons, state_updated_at,
			buyer_id, buyer_name, buyer_email, payment_descriptors, shipping_name, shipping_line1, shipping_city, shipping_postal_code, shipping_country_code,
			billing_name, billing_line1, billing_city, billing_postal_code, billing_country_code, limit_amount, balance_amount, limit_currency,
			created_at, read_at, request_id, cause, stored_at, changed_at, raw)
		select 'main', {id}, 'PaymentMethodOnFile', true,
			case when n % 100 = 7 then 'Closed' when n % 10 = 3 then 'NonChargeable' else 'Chargeable' end,
			case when n % 10 = 3 and n % 100 <> 7 then '[{"code":"PaymentMethodExpired","description":"The card has expired"}]'::jsonb else '[]' end,
			now() - interval '1 day', 'amzn1.account.' || n, 'Buyer ' || n, 'b' || n || '@example.com', array['Visa ****' || lpad((n % 10000)::text, 4, '0')],
			'Buyer ' || n, n || ' Long Street', 'City ' || n % 5000, lpad((n % 100000)::text, 5, '0'), 'DE',
			'Buyer ' || n, n || ' Long Street', 'City ' || n % 5000, lpad((n % 100000)::text, 5, '0'), 'DE', 500, 120, 'EUR',
			now() - interval '3 years', now() - n * interval '0.5 s', 'R' || n, 'ipn', now() - n * interval '0.5 s', now() - n * interval '0.5 s',
			jsonb_build_object('chargePermissionId', {id}, 'chargePermissionType', 'PaymentMethodOnFile')
		from generate_series(0, {permissions} - 1) n`},
	{"refreshes", `insert into walletsync.refreshes (account, id, wanted, done, claimed, since, priority, not_before, notified_at, read_at, attempts, last_error)
		select 'main', {id}, 10, case when n % 1000 = 1 then 9 else 10 end, 9, now() - interval '1 hour', 20, now() - interval '1 hour', now(), now(),
			case when n % 2000 = 1 then 3 else 0 end, case when n % 2000 = 1 then '503 ServiceUnavailable' end
		from generate_series(0, {permissions} - 1) n`},
	{"changes", `insert into walletsync.charge_permission_changes
			(position, account, charge_permission, facet, before, after, cause, message_id, request_id, read_at, stored_at)
		select p + 1, 'main', {id},
			case when p < {permissions} then 'first_read' else (array['address', 'payment_method', 'state', 'billing_address'])[1 + (p / {permissions} + n) % 4] end,
			case when p >= {permissions} then jsonb_build_object('city', 'City ' || p % 5000, 'country_code', 'DE') end,
			case when p < {permissions} then jsonb_build_object('address', jsonb_build_object('city', 'City ' || p % 4999)) else jsonb_build_object('city', 'City ' || p % 4999, 'country_code', 'DE') end,
			'ipn', 'm' || p, 'R' || p, now() - ({all} - p) * interval '1 s', now() - ({all} - p) * interval '1 s'
		from generate_series(0::bigint, {all}::bigint - 1) p, lateral (select (p * 7919 % {permissions})::integer as n) x`},
	{"feed", `update walletsync.feed set n = {all}`},
	{"notifications", `insert into walletsync.notifications (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
		select 'm' || n, 'main', 'n' || n, (array['CHARGE_PERMISSION', 'CHARGE', 'CHARGE_PERMISSION', 'REFUND'])[1 + n % 4], {id} || '-1', {id}, 'STATE_CHANGE', now() - n * interval '0.5 s', now() - n * interval '0.5 s', now() - n * interval '0.5 s', 'wanted'
		from generate_series(0, {permissions} - 1) n`},
	{"updates", `insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, created_at, expires_at, state, returned_at, ended_at)
		select md5(n::text || s)::uuid, 'main', {id}, 'address', 'PayAndShip', now() - interval '1 day', now() + interval '1 hour',
			case when s = 1 and n % 400 = 0 then 'started' else 'completed' end, now(), case when s = 2 or n % 400 > 0 then now() end
		from generate_series(0, {permissions} - 1, 4) n, generate_series(1, 2) s`},
	{"attempts", `insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at, outcome, ended_at)
		select 'main', id::text, id, now(), 'completed', now() from walletsync.update_sessions where state = 'completed'`},
	{"hours", `insert into walletsync.hours (account, hour, after, notifications, changes, lag_p50, lag_p95, failing, granted, granted_from, oldest, counted_at)
		select 'main', h, greatest({all} - 5000, 0), 3600, 1200, 0.1, 1.5, 2, extract(epoch from h)::bigint, extract(epoch from h)::bigint - 3600, 12, now()
		from generate_series(date_trunc('hour', now(), 'UTC') - interval '90 days', date_trunc('hour', now(), 'UTC') - interval '1 hour', interval '1 hour') h`},
}

// Fill fills the database, and reports what takes long as it begins.
func Fill(ctx context.Context, db *pgx.Conn, s Sizes, progress func(string)) error {
	all := s.Permissions * s.Changes
	words := strings.NewReplacer("{id}", sqlID, "{permissions}", fmt.Sprint(s.Permissions), "{all}", fmt.Sprint(all))
	if _, err := db.Exec(ctx, `set session_replication_role = replica; set work_mem = '256MB'; set maintenance_work_mem = '512MB'; set synchronous_commit = off`); err != nil {
		return err
	}
	restore, err := dropIndexes(ctx, db)
	if err != nil {
		return fmt.Errorf("drop indexes: %w", err)
	}
	started := time.Now()
	for _, step := range steps {
		progress(fmt.Sprintf("%4.0f s: %s", time.Since(started).Seconds(), step.what))
		if _, err := db.Exec(ctx, words.Replace(step.sql)); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	progress(fmt.Sprintf("%4.0f s: indexes", time.Since(started).Seconds()))
	for _, sql := range restore {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	progress(fmt.Sprintf("%4.0f s: statistics", time.Since(started).Seconds()))
	// What autovacuum would do: it leaves the table of the accounts alone.
	for _, sql := range []string{`reset session_replication_role`, `vacuum (analyze) walletsync.charge_permissions, walletsync.charge_permission_changes,
		walletsync.refreshes, walletsync.notifications, walletsync.update_sessions, walletsync.update_attempts, walletsync.hours`} {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// dropIndexes drops the indexes that are no constraint's, and returns how they
// are made again.
func dropIndexes(ctx context.Context, db *pgx.Conn) ([]string, error) {
	rows, err := db.Query(ctx, `select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
		from pg_index i join pg_class c on c.oid = i.indrelid
		where c.relnamespace = 'walletsync'::regnamespace and not exists (select from pg_constraint k where k.conindid = i.indexrelid)`)
	if err != nil {
		return nil, err
	}
	var restore, drop []string
	var name, def string
	if _, err := pgx.ForEachRow(rows, []any{&name, &def}, func() error {
		drop, restore = append(drop, "drop index "+name), append(restore, def)
		return nil
	}); err != nil {
		return nil, err
	}
	for _, sql := range drop {
		if _, err := db.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	return restore, nil
}

-- walletsync trip 2: store the reads, append the changes, settle the requests, free the leases.
-- $1 lease, $2 results, a JSON array, $3 margin in seconds, $4 confirmation in seconds from now, $5 limit of confirmations,
-- $6 now (null: the clock).
-- Locks: refreshes is locked by the fence; then charge_permissions, then the feed's counter, which is held to the commit,
-- so that positions appear in commit order.
with i as materialized (
    select * from jsonb_to_recordset($2::jsonb) as i (
        account text, id text, kind text, contradicts_recent boolean, read_at timestamptz, request_id text, cause text, message_id text,
        backoff double precision, error text, state jsonb, raw jsonb, changes jsonb)
), v as materialized (
    -- The verdict. Early: a replica that lags by less than the margin may not have had the change that the newest
    -- notification speaks of. Withheld: it contradicts something stored so recently that it may be the older of the two
    -- reads, so it is confirmed before it is stored. After $5 confirmations it is stored all the same: then the clock that
    -- says what is recent is wrong. This is the only place where a read is withheld.
    select i.*, r.wanted, r.claimed, r.confirms, e.early,
           e.withheld, i.kind <> 'not_followed' and (e.early or e.withheld) as unsure, -- a type never changes
           i.kind = 'read' and not e.withheld as store,
           i.kind in ('read', 'gone', 'not_followed') as answered,
           coalesce($6::timestamptz, clock_timestamp()) as now
    from i
    join walletsync.refreshes r on r.account = i.account and r.id = i.id and r.lease = $1::uuid,
    lateral (select i.read_at is null
                 or coalesce(i.read_at < r.notified_at + make_interval(secs => $3::float8), false) as early,
                    i.contradicts_recent and r.confirms < $5::int as withheld) e
), state as (
    insert into walletsync.charge_permissions as c (
        account, id, type, followed, release_environment, state, reasons, state_updated_at,
        buyer_id, buyer_name, buyer_email, buyer_phone, payment_descriptors,
        shipping_name, shipping_line1, shipping_line2, shipping_line3, shipping_city, shipping_county, shipping_district,
        shipping_state_or_region, shipping_postal_code, shipping_country_code, shipping_phone,
        billing_name, billing_line1, billing_line2, billing_line3, billing_city, billing_county, billing_district,
        billing_state_or_region, billing_postal_code, billing_country_code, billing_phone,
        limit_amount, balance_amount, limit_currency, created_at, expires_at,
        read_at, request_id, cause, stored_at, changed_at, raw)
    select v.account, v.id, coalesce(s.type, ''), v.kind = 'read', s.release_environment, s.state, coalesce(s.reasons, '[]'), s.state_updated_at,
        s.buyer_id, s.buyer_name, s.buyer_email, s.buyer_phone, coalesce(s.payment_descriptors, '{}'),
        s.shipping ->> 'name', s.shipping ->> 'line1', s.shipping ->> 'line2', s.shipping ->> 'line3',
        s.shipping ->> 'city', s.shipping ->> 'county', s.shipping ->> 'district',
        s.shipping ->> 'state_or_region', s.shipping ->> 'postal_code', s.shipping ->> 'country_code', s.shipping ->> 'phone',
        s.billing ->> 'name', s.billing ->> 'line1', s.billing ->> 'line2', s.billing ->> 'line3',
        s.billing ->> 'city', s.billing ->> 'county', s.billing ->> 'district',
        s.billing ->> 'state_or_region', s.billing ->> 'postal_code', s.billing ->> 'country_code', s.billing ->> 'phone',
        s.limit_amount, s.balance_amount, s.limit_currency, s.created_at, s.expires_at,
        v.read_at, v.request_id, v.cause, v.now, v.now, v.raw
    from v, jsonb_to_record(v.state) as s (
        type text, release_environment text, state text, reasons jsonb, state_updated_at timestamptz,
        buyer_id text, buyer_name text, buyer_email text, buyer_phone text, payment_descriptors text[],
        shipping jsonb, billing jsonb, limit_amount numeric, balance_amount numeric, limit_currency text,
        created_at timestamptz, expires_at timestamptz)
    where v.store or v.kind = 'not_followed'
    order by v.account, v.id
    on conflict (account, id) do update set
        type = excluded.type, followed = excluded.followed, release_environment = excluded.release_environment,
        state = excluded.state, reasons = excluded.reasons, state_updated_at = excluded.state_updated_at,
        buyer_id = excluded.buyer_id, buyer_name = excluded.buyer_name, buyer_email = excluded.buyer_email,
        buyer_phone = excluded.buyer_phone, payment_descriptors = excluded.payment_descriptors,
        shipping_name = excluded.shipping_name, shipping_line1 = excluded.shipping_line1,
        shipping_line2 = excluded.shipping_line2, shipping_line3 = excluded.shipping_line3,
        shipping_city = excluded.shipping_city, shipping_county = excluded.shipping_county,
        shipping_district = excluded.shipping_district, shipping_state_or_region = excluded.shipping_state_or_region,
        shipping_postal_code = excluded.shipping_postal_code, shipping_country_code = excluded.shipping_country_code,
        shipping_phone = excluded.shipping_phone,
        billing_name = excluded.billing_name, billing_line1 = excluded.billing_line1,
        billing_line2 = excluded.billing_line2, billing_line3 = excluded.billing_line3,
        billing_city = excluded.billing_city, billing_county = excluded.billing_county,
        billing_district = excluded.billing_district, billing_state_or_region = excluded.billing_state_or_region,
        billing_postal_code = excluded.billing_postal_code, billing_country_code = excluded.billing_country_code,
        billing_phone = excluded.billing_phone,
        limit_amount = excluded.limit_amount, balance_amount = excluded.balance_amount,
        limit_currency = excluded.limit_currency, created_at = excluded.created_at, expires_at = excluded.expires_at,
        read_at = greatest(c.read_at, excluded.read_at), request_id = excluded.request_id, cause = excluded.cause,
        stored_at = excluded.stored_at, raw = excluded.raw,
        unfollowed_at = case when excluded.followed then null when c.followed then excluded.stored_at else c.unfollowed_at end,
        changed_at = case when exists (
            select from v where v.account = c.account and v.id = c.id and jsonb_array_length(v.changes) > 0)
            then excluded.changed_at else c.changed_at end
), d as materialized (
    select v.account, v.id, v.cause, v.message_id, v.request_id, v.read_at, v.now, x.facet, x.before, x.after,
           row_number() over (order by v.account, v.id, x.place) as place
    from v, rows from (jsonb_to_recordset(v.changes) as (facet text, before jsonb, after jsonb)) with ordinality
         as x (facet, before, after, place)
    where v.store
), k as materialized (
    select count(*) as n from d
), f as (
    update walletsync.feed set n = feed.n + k.n from k where k.n > 0 returning feed.n - k.n as base
), history as (
    insert into walletsync.charge_permission_changes
        (position, account, charge_permission, facet, before, after, cause, message_id, request_id, read_at, stored_at)
    select f.base + d.place, d.account, d.id, d.facet, d.before, d.after, d.cause, nullif(d.message_id, ''), d.request_id, d.read_at, d.now
    from d, f
), s as materialized (
    select v.*,
           v.answered and not v.unsure as sure,
           v.answered and v.unsure and v.wanted = v.claimed and v.confirms < $5::int as confirm,
           v.answered and v.unsure and v.wanted = v.claimed and v.confirms >= $5::int as enough
    from v
)
update walletsync.refreshes r set
    done = case when not s.answered then r.done when s.sure or s.confirm or s.enough then r.wanted else r.claimed end,
    wanted = r.wanted + s.confirm::int,
    since = case when s.answered then s.now else r.since end,
    priority = case when s.confirm then 40 else r.priority end,
    not_before = case
        when s.confirm then s.now + make_interval(secs => $4::float8)
        when s.kind = 'failed' then s.now + make_interval(secs => s.backoff)
        else r.not_before end,
    attempts = case when s.answered then 0 when s.kind in ('failed', 'deferred') then r.attempts + 1 else r.attempts end,
    confirms = case when s.sure then 0 when s.confirm then r.confirms + 1 else r.confirms end,
    gone_at = case when s.kind = 'gone' and (s.sure or s.enough) then s.now when s.answered and s.kind <> 'gone' then null else r.gone_at end,
    last_error = case when s.error is not null or s.answered and s.kind <> 'gone' then s.error else r.last_error end,
    read_at = case when s.store then greatest(r.read_at, s.read_at) else r.read_at end,
    lease = null, lease_until = '-infinity'
from s
where r.account = s.account and r.id = s.id
returning r.account, r.id, s.store, s.confirm, s.early, s.withheld

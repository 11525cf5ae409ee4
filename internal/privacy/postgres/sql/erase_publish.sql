-- walletsync erasure: append each erasure to the feed once. Those that were erased already or never read are left out.
-- $1 account, $2 charge permissions, $3 cause, $4 now (null: the clock).
-- Locks: the feed's counter, to the commit, so that positions appear in commit order.
with d as materialized (
    select r.account, r.id, row_number() over (order by r.id) as place, coalesce($4::timestamptz, clock_timestamp()) as now
    from walletsync.refreshes r
    join walletsync.charge_permissions c on c.account = r.account and c.id = r.id
    where r.account = $1::text and r.id = any ($2::text[]) and r.erased_at is null
), k as materialized (
    select count(*) as n from d
), f as (
    update walletsync.feed set n = feed.n + k.n from k where k.n > 0 returning feed.n - k.n as base
)
insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
select f.base + d.place, d.account, d.id, 'erased', $3::text, d.now
from d, f

-- walletsync cli, after-restore: mark wanted at sweep priority, of the next rows, what is followed and not closed or was never read,
-- unless Amazon Pay does not know it. What is wanted already is read anyway.
-- $1 account, $2 the id after which to go on, $3 most, $4 now (null: the clock).
-- Locks: refreshes in key order; it waits for other sessions that hold one. Index: the primary keys.
with t as materialized (
    select coalesce($4::timestamptz, clock_timestamp()) as now
), page as materialized (
    select r.account, r.id, r.wanted = r.done and r.gone_at is null as idle
    from walletsync.refreshes r
    where r.account = $1::text and r.id > $2::text collate "C"
    order by r.id limit $3::int for update
), marked as (
    update walletsync.refreshes r
    set wanted = r.wanted + 1, confirms = 0, since = t.now, priority = 60, not_before = t.now
    from page p left join walletsync.charge_permissions c on c.account = p.account and c.id = p.id, t
    where r.account = p.account and r.id = p.id and p.idle
      and (c.id is null or c.followed and c.state is distinct from 'Closed')
    returning r.id
)
select (select count(*)::int from page), coalesce((select max(id) from page), ''), (select count(*)::int from marked)

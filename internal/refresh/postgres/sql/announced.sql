-- walletsync update-start: the results of an announcement. Known ids that were never read are requested if they were not,
-- and become due at once; a back-off after a failure stays, and so does the delay of a confirmation (priority 40).
-- $1 account, $2 ids, $3 priority, $4 now (null: the clock).
-- Locks: none new; announce.sql has locked the rows of refreshes that are changed here, so the values read here stay true. xmin
-- shows which of them it inserted. Indexes: the primary keys of refreshes and charge_permissions, the latter once for each account.
with x as materialized (
    select i.id, r.wanted, r.done, r.xmin = pg_current_xact_id()::xid as inserted, case
        when c.id is null and exists (
            select from walletsync.accounts a, lateral (
                select from walletsync.charge_permissions o where o.account = a.id and o.id = i.id offset 0) o
            where a.id <> $1::text) then 'other_account'
        when r.erased_at is not null then 'erased'
        when c.followed then 'stored'
        when not c.followed then 'not_followed'
        when r.gone_at is not null and r.wanted = r.done then 'not_found'
        when r.xmin = pg_current_xact_id()::xid or r.wanted = r.done then 'requested'
        else 'pending' end as status
    from unnest($2::text[]) i (id)
    left join lateral (select r.id, r.wanted, r.done, r.erased_at, r.gone_at, r.xmin from walletsync.refreshes r where r.account = $1::text and r.id = i.id offset 0) r on true
    left join lateral (select c.id, c.followed from walletsync.charge_permissions c where c.account = $1::text and c.id = i.id offset 0) c on true
), raised as (
    update walletsync.refreshes r set
        wanted = case when x.status = 'requested' then r.wanted + 1 else r.wanted end,
        confirms = case when x.status = 'requested' then 0 else r.confirms end,
        since = case when x.status = 'requested' then t.now else r.since end,
        priority = $3::smallint,
        not_before = case
            when x.status = 'requested' then t.now
            when r.attempts > 0 then r.not_before
            else least(r.not_before, t.now) end
    from x, (select coalesce($4::timestamptz, clock_timestamp()) as now) t
    where r.account = $1::text and r.id = x.id and not x.inserted
      and (x.status = 'requested' or x.status = 'pending' and r.priority > $3::smallint and r.priority <> 40)
)
select x.id, x.status from x order by x.id

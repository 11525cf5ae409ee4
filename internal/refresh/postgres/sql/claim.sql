-- walletsync trip 1: claim due requests, one token each; nothing if the lease already holds rows of the account, because the
-- trip is repeated after its answer was lost.
-- $1 account, $2 limit, $3 lease, $4 lease in seconds, $5 now (null: the clock).
-- Locks: rows of refreshes with skip locked, which never waits; then the quota row, last, whose clock is read after its
-- lock (now() would be stale). Indexes: refreshes_due, refreshes_longest, refreshes_lease. The other way round, quota first, the planner
-- guesses the limit and is thirty times slower.
-- Order: by priority, the oldest request first within each, but of ids never read (priority 30) the newest, so that a flood
-- of others' one-time orders does not delay a new wallet; one token in ten goes to the oldest request of all.
with first as materialized (
    select id, priority, since from walletsync.refreshes
    where account = $1::text and wanted > done
      and greatest(not_before, lease_until) <= coalesce($5::timestamptz, statement_timestamp())
      and not exists (select from walletsync.refreshes h where h.lease = $3::uuid and h.account = $1::text)
    order by priority, (case when priority = 30 then since end) desc, since, id limit $2::int for update skip locked
), longest as materialized (
    select id, priority, since from walletsync.refreshes
    where account = $1::text and wanted > done
      and greatest(not_before, lease_until) <= coalesce($5::timestamptz, statement_timestamp())
      and not exists (select from walletsync.refreshes h where h.lease = $3::uuid and h.account = $1::text)
    order by since, id limit $2::int / 10 + 1 for update skip locked
), due as materialized (
    select u.id, u.priority, u.since, row_number() over (order by u.since, u.id) as age
    from (select * from first union select * from longest) u
), n as materialized (
    select count(*)::int as due from due
), q as (
    update walletsync.api_quota q
    set (tokens, refilled_at, granted, last_grant, last_oldest) = (
        select b.tokens - g.n, t.now, q.granted + g.n, g.n, ((q.granted + g.n) / 10 - q.granted / 10)::int
        from (select greatest(q.refilled_at, coalesce($5::timestamptz, clock_timestamp())) as now) t,
             lateral (select least(q.burst, q.tokens + q.per_second * extract(epoch from t.now - q.refilled_at)::float8) as tokens) b,
             lateral (select case when q.closed_until > t.now then 0
                                  else least($2::int, n.due, floor(b.tokens)::int) end as n) g)
    from n
    where q.account = $1::text and q.call = 'get_charge_permission' and n.due > 0
    returning q.last_grant, q.last_oldest
), pick as (
    select p.id from (
        select due.id, q.last_grant,
               row_number() over (order by due.age <= q.last_oldest desc, due.priority,
                                         (case when due.priority = 30 then due.since end) desc, due.since, due.id) as place
        from due, q) p
    where p.place <= p.last_grant
)
update walletsync.refreshes r
set lease = $3::uuid, claimed = r.wanted,
    lease_until = coalesce($5::timestamptz, clock_timestamp()) + make_interval(secs => $4::float8)
from pick
where r.account = $1::text and r.id = pick.id

-- walletsync trip 1 of refresh.Now: claim only that charge permission, if the account has a token. It takes over another
-- worker's lease (the fence drops the result of the old holder) and ignores not_before. It claims nothing if the request is
-- covered, or if the trip is repeated by the lease that holds the row.
-- $1 account, $2 charge permission, $3 lease, $4 lease in seconds, $5 the request's time (null: none), $6 margin in
-- seconds, $7 now (null: the clock).
-- Locks: the row of refreshes is locked by ask.sql; then the quota row, last, whose clock is read after its lock.
-- granted stays unchanged: of the tokens that it counts, one in ten goes to the oldest request; this claim ignores the order.
with asked as materialized (
    select account, id from walletsync.refreshes
    where account = $1::text and id = $2::text and lease is distinct from $3::uuid
      and not coalesce($5::timestamptz + make_interval(secs => $6::float8) <= read_at, false)
), q as (
    update walletsync.api_quota q
    set (tokens, refilled_at, last_grant) = (
        select b.tokens - g.n, t.now, g.n
        from (select greatest(q.refilled_at, coalesce($7::timestamptz, clock_timestamp())) as now) t,
             lateral (select least(q.burst, q.tokens + q.per_second * extract(epoch from t.now - q.refilled_at)::float8) as tokens) b,
             lateral (select (q.closed_until <= t.now and b.tokens >= 1)::int as n) g)
    from asked
    where q.account = $1::text and q.call = 'get_charge_permission'
    returning q.last_grant
)
update walletsync.refreshes r
set lease = $3::uuid, claimed = r.wanted,
    lease_until = coalesce($7::timestamptz, clock_timestamp()) + make_interval(secs => $4::float8)
from asked, q
where q.last_grant = 1 and r.account = asked.account and r.id = asked.id

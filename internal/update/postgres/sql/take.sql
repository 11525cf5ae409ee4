-- Take a token for one call, outside of the refresh.
-- $1 account, $2 call, $3 now (null: the clock). Locks: the quota row, whose clock is read after its lock.
-- The tokens are never negative. There are none while the calls pause.
update walletsync.api_quota q
set (tokens, refilled_at, granted, last_grant) = (
    select b.tokens - g.n, t.now, q.granted + g.n, g.n
    from (select greatest(q.refilled_at, coalesce($3::timestamptz, clock_timestamp())) as now) t,
         lateral (select least(q.burst, q.tokens + q.per_second * extract(epoch from t.now - q.refilled_at)::float8) as tokens) b,
         lateral (select case when q.closed_until > t.now or b.tokens < 1 then 0 else 1 end as n) g)
where q.account = $1::text and q.call = $2::text
returning q.last_grant = 1,
          greatest(extract(epoch from greatest(q.closed_until, q.refilled_at) - q.refilled_at)::float8, (1 - q.tokens) / q.per_second, 0)

-- walletsync trips 1 and 2: is a wake-up needed, and when?
-- $1 account, $2 lease, or null: decide only if that lease holds nothing (the batch's last transaction decides),
-- $3 whether to decide as if no wake-up were under way, $4 times of the wake-ups in this batch, $5 now (null: the clock).
-- Locks: the quota row, the last in the project's order. Index: refreshes_next.
-- A wake-up that has arrived, or may be lost, is recorded as no longer under way if nothing is pending after it. Otherwise
-- the next batch before its time would rely on it.
-- Times are whole seconds from now, rounded up, 1 to 900: what SQS can delay. Without the floor, wake-ups storm.
with t as materialized (
    select coalesce($5::timestamptz, clock_timestamp()) as now
), due as materialized (
    select greatest(r.not_before, r.lease_until) as at from walletsync.refreshes r
    where r.account = $1::text and r.wanted > r.done
    order by greatest(r.not_before, r.lease_until) limit 1
), w as materialized (
    select t.now, s.seconds, t.now + make_interval(secs => s.seconds) as at -- null: nothing is wanted
    from t, walletsync.api_quota q left join due on true,
         lateral (select greatest(due.at, q.closed_until,
                      case when q.tokens < 1 then
                          q.refilled_at + make_interval(secs => (1 - q.tokens) / q.per_second) end) as at) n,
         lateral (select case when due.at is not null then
                      greatest(1, least(900, ceil(extract(epoch from n.at - t.now))))::float8 end as seconds) s
    where q.account = $1::text and q.call = 'get_charge_permission'
      and ($2::uuid is null or not exists (select from walletsync.refreshes where lease = $2::uuid))
), decided as (
    update walletsync.api_quota q set wake_at = coalesce(w.at, '-infinity')
    from w
    where q.account = $1::text and q.call = 'get_charge_permission'
      and case when w.at is null
              then q.wake_at > '-infinity' and ($3::boolean or q.wake_at = any ($4::timestamptz[]))
              else $3::boolean or q.wake_at = any ($4::timestamptz[]) or q.wake_at <= w.now or w.at < q.wake_at end
    returning q.account, w.at, w.seconds
)
select account, at, seconds::int from decided where at is not null

-- walletsync reconciler: count the hour that is open, the one before it, and those in between the last run and now.
-- $1 account, $2 now (null: the clock). After a day without a run, and at the first run, it starts at the end of the feed.
-- Locks: the account's newest rows of hours, under no other lock; two at once wait for one another at the first row.
-- Indexes: primary keys, notifications_processed, refreshes_failing, of which no more than a thousand are counted,
-- refreshes_longest. Changes are found by position, from where the first of these hours began; the limit, which no quota
-- lets come true, makes the planner follow the index, and so does that of one notification.
with t as materialized (
    select coalesce($2::timestamptz, clock_timestamp()) as now
), known as materialized (
    select h.hour, h.after, h.granted
    from walletsync.hours h
    where h.account = $1::text and h.hour >= (select now from t) - interval '1 day' and h.hour <= (select now from t)
    order by h.hour desc limit 2
), start as materialized (
    select coalesce((select min(hour) from known), date_trunc('hour', t.now, 'UTC')) as hour,
           coalesce((select min(after) from known), f.n) as after
    from t, walletsync.feed f
), changes as materialized (
    select date_trunc('hour', c.stored_at, 'UTC') as hour, count(*) as n, min(c.position) as first, max(c.position) as last,
           percentile_cont(0.5) within group (order by l.lag) as p50, percentile_cont(0.95) within group (order by l.lag) as p95
    from (select * from walletsync.charge_permission_changes c
          where c.account = $1::text and c.position > (select after from start)
          order by c.position limit 1000000) c
    left join lateral (select greatest(0, extract(epoch from c.stored_at - n.arrived_at))::float8 as lag
                       from walletsync.notifications n
                       where c.cause = 'ipn' and n.message_id = c.message_id and upper(n.object_type) = 'CHARGE_PERMISSION' limit 1) l on true
    group by 1
), hours as materialized (
    select s.hour, s.hour + interval '1 hour' > t.now as open,
           coalesce((select min(c.first) - 1 from changes c where c.hour >= s.hour),
                    greatest(start.after, (select max(c.last) from changes c))) as after
    from t, start, generate_series(start.hour, date_trunc('hour', t.now, 'UTC'), interval '1 hour') s (hour)
), state as materialized (
    select q.granted,
           (select count(*) from (select from walletsync.refreshes r
            where r.account = $1::text and r.attempts > 0 and r.wanted > r.done limit 1001) x) as failing,
           coalesce(extract(epoch from t.now - (select r.since from walletsync.refreshes r
                where r.account = $1::text and r.wanted > r.done order by r.since, r.id limit 1))::float8, 0) as oldest
    from t, walletsync.api_quota q
    where q.account = $1::text and q.call = 'get_charge_permission'
)
insert into walletsync.hours as h
    (account, hour, after, notifications, changes, lag_p50, lag_p95, failing, granted, granted_from, oldest, counted_at)
select $1::text, hours.hour, hours.after,
       (select count(*) from walletsync.notifications n
        where n.account = $1::text and n.processed_at >= hours.hour and n.processed_at < hours.hour + interval '1 hour'),
       coalesce(c.n, 0), c.p50, c.p95,
       case when hours.open then state.failing else 0 end,
       case when hours.open then state.granted
            else coalesce((select k.granted from known k where k.hour = hours.hour), (select max(k.granted) from known k)) end,
       (select k.granted from known k where k.hour = hours.hour - interval '1 hour'),
       case when hours.open then least(greatest(state.oldest, 0), 1e9) else 0 end,
       t.now
from t, hours cross join state left join changes c on c.hour = hours.hour
order by hours.hour
on conflict (account, hour) do update set
    notifications = excluded.notifications, changes = excluded.changes, lag_p50 = excluded.lag_p50, lag_p95 = excluded.lag_p95,
    failing = greatest(h.failing, excluded.failing), granted = greatest(h.granted, excluded.granted),
    oldest = greatest(h.oldest, excluded.oldest), counted_at = excluded.counted_at

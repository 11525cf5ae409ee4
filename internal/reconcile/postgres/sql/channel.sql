-- walletsync reconciler: when a notification of an account last named a charge permission, and how many changes had no
-- notification since. Old-format and unmatched notifications do not count.
-- $1 account, $2 seconds that a notification may take, $3 now (null: the clock).
-- Locks: none. Indexes: notifications_named, update_attempts_completed, charge_permission_changes_found; a few rows of
-- each. All times are Postgres's. The notification of an update may be processed before its outcome is stored here, hence
-- the minute. A change that the sweep finds has no time of its own, so it counts from when it was found. The start time
-- is a subquery, so that the index scans begin there: a join would read every completed attempt.
with t as (
    select coalesce($3::timestamptz, clock_timestamp()) as now
), heard as (
    select (select max(n.processed_at) from walletsync.notifications n where n.account = $1::text and n.charge_permission is not null) as at
), after as (
    select coalesce(heard.at, '-infinity') + interval '1 minute' as at from heard
), updates as (
    select u.ended_at as at from walletsync.update_attempts u
    where u.account = $1::text and u.outcome = 'completed'
      and u.ended_at > (select at from after) and u.ended_at <= (select now from t) - make_interval(secs => $2::float8)
    order by u.ended_at limit 100
), found as (
    select min(c.stored_at) as at from (
        select h.charge_permission, h.stored_at from walletsync.charge_permission_changes h
        where h.account = $1::text and h.cause = 'reconcile' and h.stored_at > (select at from after) and h.facet <> 'first_read'
        order by h.stored_at limit 100) c
    group by c.charge_permission
)
select heard.at, (select count(*) from updates), (select count(*) from found),
       (select min(x.at) from (select at from updates union all select at from found) x)
from heard

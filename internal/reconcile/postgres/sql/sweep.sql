-- walletsync reconciler: request a refresh of the longest unread at sweep priority, except those that are requested
-- already and those that Amazon Pay no longer knows.
-- $1 account, $2 seconds unread, $3 limit, $4 now (null: the clock).
-- Locks: refreshes in key order, with skip locked: a row that another locks is being requested. Indexes:
-- charge_permissions_longest_unread, the primary key of refreshes. The limit is a parameter, so that the planner knows it
-- and reads no more of the index than it needs. refreshes is a subquery, because the planner assumes that wanted = done is
-- rare and would begin there. The age is that of stored_at, which is Postgres's clock; read_at is Amazon's.
with t as materialized (
    select coalesce($4::timestamptz, clock_timestamp()) as now
), longest as materialized (
    select c.account, c.id
    from walletsync.charge_permissions c
    where c.account = $1::text and c.followed and c.state is distinct from 'Closed'
      and c.stored_at <= (select now from t) - make_interval(secs => $2::float8)
      and (select r.wanted = r.done and r.gone_at is null
           from walletsync.refreshes r where r.account = c.account and r.id = c.id)
    order by c.stored_at, c.id limit $3::int
), locked as materialized (
    select r.account, r.id
    from walletsync.refreshes r join longest l on l.account = r.account and l.id = r.id
    where r.wanted = r.done
    order by r.account, r.id for update of r skip locked
)
update walletsync.refreshes r
set wanted = r.wanted + 1, confirms = 0, since = t.now, priority = 60, not_before = t.now
from locked, t
where r.account = locked.account and r.id = locked.id

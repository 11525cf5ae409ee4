-- walletsync reconciler: forget the lines of the access log that were written so long ago, the oldest first.
-- $1 seconds, $2 most, $3 now (null: the clock). Locks: those rows, the oldest first; another run's are skipped.
-- Index: console_access_oldest.
with t as materialized (
    select coalesce($3::timestamptz, clock_timestamp()) as now
)
delete from walletsync.console_access a
where a.ctid = any (array(
    select o.ctid from walletsync.console_access o
    where o.at <= (select now from t) - make_interval(secs => $1::float8)
    order by o.at limit $2::int for update skip locked))

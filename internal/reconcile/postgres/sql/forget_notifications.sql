-- walletsync reconciler: forget the notifications that were processed so long ago, the oldest first. One that comes once
-- more asks for nothing all the same, as it is covered by what was read since.
-- $1 account, $2 seconds, $3 most, $4 now (null: the clock). Locks: the inbox, the oldest first; another run's are skipped.
-- Index: notifications_processed.
with t as materialized (
    select coalesce($4::timestamptz, clock_timestamp()) as now
)
delete from walletsync.notifications n
where n.ctid = any (array(
    select o.ctid from walletsync.notifications o
    where o.account = $1::text and o.processed_at <= (select now from t) - make_interval(secs => $2::float8)
    order by o.processed_at limit $3::int for update skip locked))

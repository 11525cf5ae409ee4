-- walletsync reconciler: delete notifications that were processed at least $2 seconds ago, the oldest first. If one is
-- delivered once more, it requests nothing, because a later read covers it.
-- $1 account, $2 seconds, $3 limit, $4 now (null: the clock). Locks: the inbox, the oldest first; rows that another run has
-- locked are skipped.
-- Index: notifications_processed.
with t as materialized (
    select coalesce($4::timestamptz, clock_timestamp()) as now
)
delete from walletsync.notifications n
where n.ctid = any (array(
    select o.ctid from walletsync.notifications o
    where o.account = $1::text and o.processed_at <= (select now from t) - make_interval(secs => $2::float8)
    order by o.processed_at limit $3::int for update skip locked))

-- walletsync cli, after-restore: wake-ups that were under way at the backup are lost: the next batch, or the reconciler, decides
-- again. Locks: the quota rows, in key order.
with q as materialized (
    select account, call from walletsync.api_quota order by account, call for update
)
update walletsync.api_quota o set wake_at = '-infinity' from q where o.account = q.account and o.call = q.call

-- walletsync restored: end all leases, so that the fence drops what a fetch brings that was begun before the restore.
-- Locks: refreshes in key order. Index: refreshes_lease.
with held as materialized (
    select r.account, r.id from walletsync.refreshes r where r.lease is not null order by r.account, r.id for update
)
update walletsync.refreshes r set lease = null, lease_until = '-infinity'
from held where r.account = held.account and r.id = held.id

-- walletsync trip 2: the fence. It locks the claimed rows in key order until the commit. A row whose lease is no longer ours
-- is not among them, and its result is dropped.
-- $1 lease. Locks: refreshes. Index: refreshes_lease.
select from walletsync.refreshes where lease = $1::uuid order by account, id for update

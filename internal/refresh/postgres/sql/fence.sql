-- walletsync trip 2: the fence. Locks the claimed rows in key order and keeps them to the commit; a row whose lease is not
-- ours any more is not among them, and its outcome is dropped.
-- $1 lease. Locks: refreshes. Index: refreshes_lease.
select from walletsync.refreshes where lease = $1::uuid order by account, id for update

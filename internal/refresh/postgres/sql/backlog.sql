-- walletsync trip 2, and the reconciler: what waits in an account, for those who watch.
-- $1 account, $2 now (null: the clock). Locks: none. Index: refreshes_longest.
select q.account, least(q.burst, q.tokens + q.per_second * greatest(0, extract(epoch from t.now - q.refilled_at)))::float8,
       coalesce(greatest(0, extract(epoch from t.now - (
           select r.since from walletsync.refreshes r
           where r.account = q.account and r.wanted > r.done
           order by r.since, r.id limit 1)))::float8, 0)
from (select coalesce($2::timestamptz, clock_timestamp()) as now) t, walletsync.api_quota q
where q.account = $1::text and q.call = 'get_charge_permission'

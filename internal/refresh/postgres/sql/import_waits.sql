-- walletsync operator: how the import of an account stands.
-- $1 account, $2 how many failures are many, $3 now (null: the clock).
-- Locks: none. Index: refreshes_due, of which all that is wanted is counted.
select (select count(*)::int from walletsync.refreshes r
        where r.account = q.account and r.wanted > r.done and r.priority = 70),
       (select count(*)::int from (
            select r.attempts from walletsync.refreshes r
            where r.account = q.account and r.wanted > r.done and r.priority = 70
            order by r.since, r.id limit 10000) f
        where f.attempts >= $2::int),
       (select count(*)::int from walletsync.refreshes r
        where r.account = q.account and r.wanted > r.done and r.priority < 70),
       q.per_second, case when q.closed_until > t.now then extract(epoch from q.closed_until - t.now) else 0 end::float8,
       case when q.closed_until > t.now then coalesce(q.closed_why, '') else '' end
from (select coalesce($3::timestamptz, clock_timestamp()) as now) t, walletsync.api_quota q
where q.account = $1::text and q.call = 'get_charge_permission'

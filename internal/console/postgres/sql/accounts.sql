-- console: how each account stands at this moment.
-- Locks: none. Indexes: refreshes_longest, refreshes_failing, of which no more than a thousand are counted,
-- notifications_named; api_quota has a few rows.
select a.id as account, a.merchant_id, a.environment,
       least(q.burst, q.tokens + q.per_second * greatest(0, extract(epoch from now() - q.refilled_at)))::float8 as tokens,
       q.burst, q.per_second, nullif(q.closed_until, '-infinity') as closed_until, q.closed_why,
       (select nullif(r.since, '-infinity') from walletsync.refreshes r
        where r.account = a.id and r.wanted > r.done order by r.since, r.id limit 1) as oldest_wanted_since,
       (select count(*)::int from (select from walletsync.refreshes r
        where r.account = a.id and r.attempts > 0 and r.wanted > r.done limit 1001) f) as failing,
       (select n.processed_at from walletsync.notifications n
        where n.account = a.id and n.charge_permission is not null order by n.processed_at desc limit 1) as last_notification_at
from walletsync.accounts a
join walletsync.api_quota q on q.account = a.id and q.call = 'get_charge_permission'
order by a.id

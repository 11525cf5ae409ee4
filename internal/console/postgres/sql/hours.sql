-- console: the hours since, over all accounts: counts are summed, of other values the worst is returned.
-- $1 from. Locks: none. Index: the primary key, a range of it for each account.
select h.hour, sum(h.notifications)::int as notifications, sum(h.changes)::int as changes, max(h.lag_p50) as lag_p50, max(h.lag_p95) as lag_p95,
       sum(h.failing)::int as failing, sum(h.granted - h.granted_from)::int as fetched,
       max((h.granted - h.granted_from) / (q.per_second * 3600)) as quota_used,
       max(h.oldest) as oldest_wanted, max(h.counted_at) as counted_until
from walletsync.accounts a
join walletsync.hours h on h.account = a.id and h.hour >= $1::timestamptz
left join walletsync.api_quota q on q.account = a.id and q.call = 'get_charge_permission'
group by h.hour
order by h.hour

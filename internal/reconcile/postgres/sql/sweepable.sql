-- walletsync reconciler: the number of charge permissions to sweep, and the rate of the account's share.
-- $1 account. Locks: none. Indexes: charge_permissions_longest_unread (an index-only scan), refreshes_due.
select (select count(*) from walletsync.charge_permissions c
        where c.account = q.account and c.followed and c.state is distinct from 'Closed'),
       (select count(*) from walletsync.refreshes r
        where r.account = q.account and r.wanted > r.done and r.priority = 60),
       q.per_second
from walletsync.api_quota q
where q.account = $1::text and q.call = 'get_charge_permission'

-- console: the charge permissions that have not been read since, the longest unread first.
-- $1 since, $2 stored at, $3 account and $4 id of the last that was shown ('-infinity' and '' for none), $5 most.
-- Locks: none. Index: charge_permissions_longest_unread, a range of it for each account. Of those stored at the same moment,
-- the accounts before that of the last have been shown, and those after it have not.
select k.account, k.id, k.stored_at, k.id, 0
from walletsync.accounts a,
     lateral (select c.account, c.id, c.stored_at from walletsync.charge_permissions c
              where c.account = a.id and c.followed and c.state is distinct from 'Closed' and c.stored_at < $1::timestamptz
                and (c.stored_at, c.id) > ($2::timestamptz, case when a.id = $3::text then $4::text when a.id > $3::text then '' else '~' end)
              order by c.stored_at, c.id limit $5::int) k
order by k.stored_at, k.account, k.id
limit $5::int

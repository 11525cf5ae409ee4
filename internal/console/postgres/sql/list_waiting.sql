-- console: the charge permissions that are wanted, the longest wanted first.
-- $1 since, $2 account and $3 id of the last that was shown ('-infinity' and '' for none), $4 most.
-- Locks: none. Index: refreshes_longest, a range of it for each account. Of those wanted since the same moment, the accounts before
-- that of the last have been shown, and those after it have not.
select k.account, k.id, nullif(k.since, '-infinity'), k.id, 0
from walletsync.accounts a,
     lateral (select r.account, r.id, r.since from walletsync.refreshes r
              where r.account = a.id and r.wanted > r.done
                and (r.since, r.id) > ($1::timestamptz, case when a.id = $2::text then $3::text when a.id > $2::text then '' else '~' end)
              order by r.since, r.id limit $4::int) k
order by k.since, k.account, k.id
limit $4::int

-- walletsync cli, after-restore: the accounts, and how many charge permissions are known of each.
-- Locks: none. It reads the whole primary key of refreshes, which no other statement does.
select a.id, (select count(*)::int from walletsync.refreshes r where r.account = a.id)
from walletsync.accounts a
order by a.id

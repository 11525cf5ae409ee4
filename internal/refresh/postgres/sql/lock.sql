-- walletsync trip 1: a row in refreshes for each charge permission that the new notifications name, locked.
-- $1 message ids.
-- Locks: refreshes, new and known rows alike in key order ("where false" locks a known row and writes nothing).
-- xmin shows which notifications this transaction inserted.
insert into walletsync.refreshes as r (account, id)
select distinct n.account, n.charge_permission
from walletsync.notifications n
join walletsync.accounts a on a.id = n.account
where n.message_id = any ($1::text[])
  and n.xmin = pg_current_xact_id()::xid
  and n.charge_permission is not null
  and (not a.follow_known_only or exists (
        select from walletsync.refreshes k where k.account = n.account and k.id = n.charge_permission))
order by n.account, n.charge_permission
on conflict (account, id) do update set account = r.account where false

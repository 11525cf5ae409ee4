-- walletsync console: who opened a record, the newest first.
-- $1 account, $2 charge permission, $3 most. Locks: nothing. Index: console_access_of_one.
select at, subject, name, role, action
from walletsync.console_access
where account = $1::text and charge_permission = $2::text
order by at desc, id desc limit $3::int

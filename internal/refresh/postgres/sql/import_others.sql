-- walletsync operator: how many calls a second went to anything but imports in the last hour, about: what was read several
-- times counts once, as does what is closed or not followed not at all.
-- $1 account, $2 now (null: the clock). Locks: none. Index: charge_permissions_longest_unread, of which an hour is read.
select (count(*) filter (where c.cause is distinct from 'import') / 3600.0)::float8
from walletsync.charge_permissions c
where c.account = $1::text and c.followed and c.state is distinct from 'Closed'
  and c.stored_at > coalesce($2::timestamptz, statement_timestamp()) - interval '1 hour'

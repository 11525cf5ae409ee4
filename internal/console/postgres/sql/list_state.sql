-- console: the charge permissions in a state, the newest change first.
-- $1 state, $2 changed at, $3 account and $4 id of the last that was shown ('infinity' and '' for none), $5 most.
-- Locks: none. Index: charge_permissions_by_state.
select c.account, c.id, c.changed_at, c.id, 0
from walletsync.charge_permissions c
where c.state = $1::text and c.followed and (c.changed_at, c.account, c.id) < ($2::timestamptz, $3::text, $4::text)
order by c.changed_at desc, c.account desc, c.id desc
limit $5::int

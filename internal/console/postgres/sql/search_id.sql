-- console: the charge permissions whose id begins with a term.
-- $1 term, $2 state ('' for any), $3 account and $4 id of the last that was shown ('' for none), $5 most.
-- Locks: none. Index: primary key. Few accounts share an id, so rows are distinguished by account, then id.
select c.account, c.id, null::timestamptz, c.id, 0
from walletsync.accounts a
join walletsync.charge_permissions c on c.account = a.id
where c.id >= $1::text collate "C" and c.id < ($1::text || '~') collate "C" and c.followed
  and (c.account, c.id) > ($3::text, $4::text) and ($2::text = '' or c.state = $2::text)
order by c.account, c.id
limit $5::int

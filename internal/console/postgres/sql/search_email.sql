-- console: the charge permissions whose buyer's e-mail address begins with a term.
-- $1 term, $2 state ('' for any), $3 account and $4 id of the last that was shown ('' for none), $5 most. The cursor holds no
-- address: it is read again by the id.
-- Locks: none. Index: charge_permissions_by_email, whose expression this is.
with last as materialized (
    select lower(c.buyer_email) collate "C" as email
    from walletsync.charge_permissions c where c.account = $3::text and c.id = $4::text
)
select c.account, c.id, null::timestamptz, c.id, 0
from walletsync.charge_permissions c
where (lower(c.buyer_email) collate "C", c.account, c.id)
      > (coalesce((select email from last), lower($1::text)) collate "C", $3::text, $4::text)
  and lower(c.buyer_email) collate "C" >= lower($1::text)
  and lower(c.buyer_email) collate "C" < lower($1::text) || chr(1114111)
  and c.followed and ($2::text = '' or c.state = $2::text)
order by lower(c.buyer_email) collate "C", c.account, c.id
limit $5::int

-- console: the charge permissions whose shipping postal code, or billing where there is no shipping, begins with a term.
-- $1 term, in upper case without spaces and dashes, $2 state ('' for any), $3 account and $4 id of the last that was shown
-- ('' for none), $5 most. The cursor holds no postal code: it is read again by the id.
-- Locks: none. Index: charge_permissions_by_postal_code, whose expression this is.
with last as materialized (
    select upper(regexp_replace(coalesce(c.shipping_postal_code, c.billing_postal_code), '[\s-]', '', 'g')) collate "C" as code
    from walletsync.charge_permissions c where c.account = $3::text and c.id = $4::text
)
select c.account, c.id, null::timestamptz, c.id, 0
from walletsync.charge_permissions c
where (upper(regexp_replace(coalesce(c.shipping_postal_code, c.billing_postal_code), '[\s-]', '', 'g')) collate "C", c.account, c.id)
      > (coalesce((select code from last), $1::text) collate "C", $3::text, $4::text)
  and upper(regexp_replace(coalesce(c.shipping_postal_code, c.billing_postal_code), '[\s-]', '', 'g')) collate "C" >= $1::text
  and upper(regexp_replace(coalesce(c.shipping_postal_code, c.billing_postal_code), '[\s-]', '', 'g')) collate "C" < $1::text || chr(1114111)
  and c.followed and ($2::text = '' or c.state = $2::text)
order by upper(regexp_replace(coalesce(c.shipping_postal_code, c.billing_postal_code), '[\s-]', '', 'g')) collate "C", c.account, c.id
limit $5::int

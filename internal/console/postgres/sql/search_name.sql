-- console: the charge permissions whose buyer's name begins with a term (part 1), then those of which its last word does
-- (part 2).
-- $1 term, $2 state ('' for any), $3 account and $4 id of the last that was shown ('' for none), $5 most, $6 its part (0 for
-- none). The cursor holds no name: it is read again by the id.
-- Locks: none. Indexes: charge_permissions_by_name, charge_permissions_by_last_word, whose expressions these are. Each part
-- is a range of its index in its order, of which no more than the page is read.
with last as materialized (
    select lower(c.buyer_name) collate "C" as name,
           lower(substring(c.buyer_name from '[\s\u3000]([^\s\u3000]+)[\s\u3000]*$')) collate "C" as word
    from walletsync.charge_permissions c where c.account = $3::text and c.id = $4::text
), beginning as materialized (
    select c.account, c.id, 1 as part, lower(c.buyer_name) collate "C" as key
    from walletsync.charge_permissions c
    where $6::int < 2
      and (lower(c.buyer_name) collate "C", c.account, c.id)
          > (coalesce((select name from last), lower($1::text)) collate "C", $3::text, $4::text)
      and lower(c.buyer_name) collate "C" >= lower($1::text)
      and lower(c.buyer_name) collate "C" < lower($1::text) || chr(1114111)
      and c.followed and ($2::text = '' or c.state = $2::text)
    order by lower(c.buyer_name) collate "C", c.account, c.id
    limit $5::int
), ending as materialized (
    select c.account, c.id, 2 as part, lower(substring(c.buyer_name from '[\s\u3000]([^\s\u3000]+)[\s\u3000]*$')) collate "C" as key
    from walletsync.charge_permissions c
    where (lower(substring(c.buyer_name from '[\s\u3000]([^\s\u3000]+)[\s\u3000]*$')) collate "C", c.account, c.id)
          > (case when $6::int = 2 then coalesce((select word from last), lower($1::text)) else lower($1::text) end collate "C",
             case when $6::int = 2 then $3::text else '' end, case when $6::int = 2 then $4::text else '' end)
      and lower(substring(c.buyer_name from '[\s\u3000]([^\s\u3000]+)[\s\u3000]*$')) collate "C" >= lower($1::text)
      and lower(substring(c.buyer_name from '[\s\u3000]([^\s\u3000]+)[\s\u3000]*$')) collate "C" < lower($1::text) || chr(1114111)
      and not starts_with(lower(c.buyer_name), lower($1::text))
      and c.followed and ($2::text = '' or c.state = $2::text)
    order by lower(substring(c.buyer_name from '[\s\u3000]([^\s\u3000]+)[\s\u3000]*$')) collate "C", c.account, c.id
    limit $5::int
)
select u.account, u.id, null::timestamptz, u.id, u.part
from (select * from beginning union all select * from ending) u
order by u.part, u.key, u.account, u.id
limit $5::int

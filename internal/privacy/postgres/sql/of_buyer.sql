-- walletsync person: the charge permissions with a buyer id.
-- $1 buyer id, $2 account (null: every account), $3 now (null: the clock). Locks: none.
-- Index: charge_permissions_of_one_buyer.
select c.account, c.id, coalesce($3::timestamptz, clock_timestamp())
from walletsync.accounts a
join walletsync.charge_permissions c on c.account = a.id and c.buyer_id = $1::text and c.raw is not null
where $2::text is null or a.id = $2::text
order by c.account, c.id

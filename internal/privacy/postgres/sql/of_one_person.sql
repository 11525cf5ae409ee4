-- walletsync person: the charge permissions of the person behind one: those of the account with the same buyer id, and that
-- one itself, whose buyer may be unknown.
-- $1 charge permission, $2 account (null: every account), $3 now (null: the clock). Locks: none.
-- Indexes: the primary keys, charge_permissions_of_one_buyer.
select r.account, p.id, coalesce($3::timestamptz, clock_timestamp())
from walletsync.accounts a
join walletsync.refreshes r on r.account = a.id and r.id = $1::text
left join walletsync.charge_permissions c on c.account = r.account and c.id = r.id,
lateral (select r.id
         union
         select o.id from walletsync.charge_permissions o where o.account = c.account and o.buyer_id = c.buyer_id and o.raw is not null) p
where $2::text is null or a.id = $2::text
order by r.account, p.id

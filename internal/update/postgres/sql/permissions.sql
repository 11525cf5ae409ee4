-- update-start: the stored charge permission, once for each account that has it.
-- $1 charge permission. Locks: none. Index: the primary key, once for each account.
select c.account, c.type, c.followed, r.gone_at is not null, coalesce(c.state, ''),
       coalesce(c.shipping_name, c.shipping_line1, c.shipping_line2, c.shipping_line3, c.shipping_city, c.shipping_county, c.shipping_district,
                c.shipping_state_or_region, c.shipping_postal_code, c.shipping_country_code, c.shipping_phone) is not null,
       r.erased_at is not null
from walletsync.accounts a
join walletsync.charge_permissions c on c.account = a.id and c.id = $1::text
left join walletsync.refreshes r on r.account = c.account and r.id = c.id
order by c.account

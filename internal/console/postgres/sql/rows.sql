-- console: what a list shows of charge permissions, in the order in which they are asked for.
-- $1 accounts, $2 ids. Locks: none. Indexes: primary keys. For masked users the schema is back_office_masked.
select k.account, k.id as charge_permission_id, b.name, coalesce(s.postal_code, i.postal_code) as postal_code, coalesce(s.city, i.city) as city,
       coalesce(s.country_code, i.country_code) as country_code, p.chargeable, p.required_action, p.state, p.payment_descriptor,
       f.stored_at, f.pending_since, coalesce(f.failed_attempts, 0) as failed_attempts, f.last_error
from unnest($1::text[], $2::text[]) with ordinality as k (account, id, place)
left join back_office.freshness f on f.account = k.account and f.charge_permission_id = k.id
left join back_office.buyers b on b.account = k.account and b.charge_permission_id = k.id
left join back_office.shipping_addresses s on s.account = k.account and s.charge_permission_id = k.id
left join back_office.billing_addresses i on i.account = k.account and i.charge_permission_id = k.id
left join back_office.payment_states p on p.account = k.account and p.charge_permission_id = k.id
order by k.place

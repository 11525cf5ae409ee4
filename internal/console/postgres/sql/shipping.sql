-- console: the shipping address of a charge permission. $1 account, $2 id.
-- Locks: none. Indexes: the primary key, charge_permission_changes_of_one. Masked: back_office_masked.
select name, line1, line2, line3, city, county, district, state_or_region, postal_code, country_code, phone, since, as_of
from back_office.shipping_addresses where account = $1::text and charge_permission_id = $2::text

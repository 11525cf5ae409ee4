-- walletsync erasure: blank the stored personal data.
-- $1 account, $2 charge permissions. Locks: charge_permissions, whose rows of refreshes are locked before. Index: the
-- primary key. Only impersonal data stays: type, state, limits and times.
update walletsync.charge_permissions c set
    buyer_id = null, buyer_name = null, buyer_email = null, buyer_phone = null, payment_descriptors = '{}',
    shipping_name = null, shipping_line1 = null, shipping_line2 = null, shipping_line3 = null, shipping_city = null,
    shipping_county = null, shipping_district = null, shipping_state_or_region = null, shipping_postal_code = null,
    shipping_country_code = null, shipping_phone = null,
    billing_name = null, billing_line1 = null, billing_line2 = null, billing_line3 = null, billing_city = null,
    billing_county = null, billing_district = null, billing_state_or_region = null, billing_postal_code = null,
    billing_country_code = null, billing_phone = null,
    raw = null, unfollowed_at = null
where c.account = $1::text and c.id = any ($2::text[])

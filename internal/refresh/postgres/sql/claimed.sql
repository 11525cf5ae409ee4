-- walletsync trip 1: the claims, each with the stored state. It is a separate statement, so that the rows' locks protect its
-- snapshot: no other worker can store until the lease has ended.
-- $1 lease, $2 margin in seconds, $3 now (null: the clock), $4 and $5 account and id of a charge permission that is returned
-- even if that lease does not hold it (null: none). Locks: none.
-- Indexes: refreshes_lease, the primary key for $4 and $5, charge_permission_changes_of_one.
select r.account, r.id, r.priority, r.attempts, coalesce(r.notified_by, ''), r.notified_at, coalesce(r.lease = $1::uuid, false),
    array(select distinct h.facet from walletsync.charge_permission_changes h
          where h.account = r.account and h.charge_permission = r.id
            and h.stored_at > coalesce($3::timestamptz, clock_timestamp()) - make_interval(secs => $2::float8)),
    case when c.followed then jsonb_build_object(
        'id', c.id, 'type', c.type, 'release_environment', c.release_environment,
        'state', c.state, 'reasons', c.reasons, 'state_updated_at', c.state_updated_at,
        'buyer_id', c.buyer_id, 'buyer_name', c.buyer_name, 'buyer_email', c.buyer_email, 'buyer_phone', c.buyer_phone,
        'payment_descriptors', c.payment_descriptors,
        'shipping', jsonb_build_object(
            'name', c.shipping_name, 'line1', c.shipping_line1, 'line2', c.shipping_line2, 'line3', c.shipping_line3,
            'city', c.shipping_city, 'county', c.shipping_county, 'district', c.shipping_district,
            'state_or_region', c.shipping_state_or_region, 'postal_code', c.shipping_postal_code,
            'country_code', c.shipping_country_code, 'phone', c.shipping_phone),
        'billing', jsonb_build_object(
            'name', c.billing_name, 'line1', c.billing_line1, 'line2', c.billing_line2, 'line3', c.billing_line3,
            'city', c.billing_city, 'county', c.billing_county, 'district', c.billing_district,
            'state_or_region', c.billing_state_or_region, 'postal_code', c.billing_postal_code,
            'country_code', c.billing_country_code, 'phone', c.billing_phone),
        'limit_amount', c.limit_amount::text, 'balance_amount', c.balance_amount::text, 'limit_currency', c.limit_currency,
        'created_at', c.created_at, 'expires_at', c.expires_at)
    end,
    r.erased_at is not null
from walletsync.refreshes r
left join walletsync.charge_permissions c on c.account = r.account and c.id = r.id
where r.lease = $1::uuid or r.account = $4::text and r.id = $5::text
order by r.account, r.id

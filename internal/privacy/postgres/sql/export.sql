-- walletsync export-person: all stored data of charge permissions of one account, as one JSON document: the views of the
-- back-office, Amazon's last answer, the updates with the merchant's details, the notifications, the console's access log,
-- and the rows themselves.
-- $1 account, $2 charge permissions, $3 now (null: the clock). Locks: none.
-- Indexes: the primary keys, charge_permission_changes_of_one, update_sessions_of_one, update_attempts_of_one,
-- notifications_of_one, console_access_of_one.
select jsonb_pretty(jsonb_build_object(
    'exported_at', coalesce($3::timestamptz, clock_timestamp()),
    'account', $1::text,
    'charge_permissions', coalesce(jsonb_agg(jsonb_build_object(
        'charge_permission_id', p.id,
        'buyer', (select to_jsonb(b) from back_office.buyers b where b.account = $1::text and b.charge_permission_id = p.id),
        'shipping_address', (select to_jsonb(a) from back_office.shipping_addresses a where a.account = $1::text and a.charge_permission_id = p.id),
        'billing_address', (select to_jsonb(a) from back_office.billing_addresses a where a.account = $1::text and a.charge_permission_id = p.id),
        'payment_state', (select to_jsonb(s) from back_office.payment_states s where s.account = $1::text and s.charge_permission_id = p.id),
        'freshness', (select to_jsonb(f) from back_office.freshness f where f.account = $1::text and f.charge_permission_id = p.id),
        'as_amazon_pay_told', (select c.raw from walletsync.charge_permissions c where c.account = $1::text and c.id = p.id),
        'timeline', coalesce((select jsonb_agg(to_jsonb(t) order by t.position)
            from back_office.timeline t where t.account = $1::text and t.charge_permission_id = p.id), '[]'),
        'updates', coalesce((select jsonb_agg(to_jsonb(u) || jsonb_build_object(
                'checkout_sessions', coalesce((select jsonb_agg(to_jsonb(x) order by x.returned_at, x.checkout_session)
                    from walletsync.update_attempts x where x.update_session = u.id), '[]')) order by u.created_at, u.id)
            from walletsync.update_sessions u where u.account = $1::text and u.charge_permission = p.id), '[]'),
        'notifications', coalesce((select jsonb_agg(to_jsonb(n) order by n.published_at, n.message_id)
            from walletsync.notifications n where n.account = $1::text and n.charge_permission = p.id), '[]'),
        'opened_in_the_console', coalesce((select jsonb_agg(to_jsonb(o) order by o.at, o.id)
            from walletsync.console_access o where o.account = $1::text and o.charge_permission = p.id), '[]'),
        'rows', jsonb_build_object(
            'charge_permissions', (select to_jsonb(c) - 'raw' from walletsync.charge_permissions c where c.account = $1::text and c.id = p.id),
            'refreshes', (select to_jsonb(r) from walletsync.refreshes r where r.account = $1::text and r.id = p.id))
    ) order by p.id), '[]')))
from unnest($2::text[]) as p (id)

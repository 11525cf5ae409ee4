-- What a merchant may have stored at this step; every table has a row.
insert into walletsync.accounts (id, merchant_id, environment, region, ledger_currency, follow_types)
values ('main', 'A1B2C3D4E5F6G7', 'live', 'EU', 'EUR', '{PaymentMethodOnFile,Recurring}');

insert into walletsync.api_quota (account, call, burst, per_second, tokens, refilled_at, granted)
values ('main', 'get_charge_permission', 10, 2, 3.5, '2026-03-04 05:06:07.089+00', 12345);

insert into walletsync.charge_permissions (account, id, type, followed, release_environment, state, reasons, state_updated_at,
    buyer_id, buyer_name, buyer_email, payment_descriptors, shipping_name, shipping_line1, shipping_city, shipping_postal_code, shipping_country_code,
    limit_amount, balance_amount, limit_currency, created_at, expires_at, read_at, request_id, stored_at, changed_at, raw)
values
    ('main', 'B01-1000001-1000001', 'PaymentMethodOnFile', true, 'Live', 'Chargeable', '[]', '2026-01-02 03:04:05+00',
     'amzn1.account.AAAA', 'Mara Muster', 'mara@example.com', '{"Visa ****1111 (Amazon Pay)"}', 'Mara Muster', 'Am Tor 1', 'Köln', '50667', 'DE',
     500.00, 123.45, 'EUR', '2025-01-02 03:04:05+00', null, '2026-03-04 05:06:07+00', 'r-1', '2026-03-04 05:06:07.5+00', '2026-03-04 05:06:07.5+00',
     '{"chargePermissionId": "B01-1000001-1000001", "newInAmazonsAnswer": {"kept": true}}'),
    ('main', 'B01-1000002-1000002', 'Recurring', true, 'Live', 'Closed', '[{"code": "BuyerClosed", "description": "closed"}]', '2026-02-02 03:04:05+00',
     null, null, null, '{}', null, null, null, null, null,
     null, null, null, '2025-01-02 03:04:05+00', '2026-02-02 03:04:05+00', null, null, '2026-02-03 00:00:00+00', '2026-02-03 00:00:00+00', '{}'),
    ('main', 'B01-1000003-1000003', 'OneTime', false, null, null, '[]', null,
     null, null, null, '{}', null, null, null, null, null,
     null, null, null, null, null, null, null, '2026-02-03 00:00:00+00', '2026-02-03 00:00:00+00', null);

insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, before, after, cause, message_id, request_id, read_at, stored_at)
values
    (1, 'main', 'B01-1000001-1000001', 'first_read', null, '{"shipping_address":{"city": "Bonn"}}', 'import', null, 'r-0', '2026-01-01 00:00:00+00', '2026-01-01 00:00:01+00'),
    (2, 'main', 'B01-1000001-1000001', 'shipping_address', '{"city": "Bonn"}', '{"city": "Köln"}', 'ipn', 'm-1', 'r-1', '2026-03-04 05:06:07+00', '2026-03-04 05:06:07.5+00'),
    (3, 'main', 'B01-1000002-1000002', 'first_read', null, '{"state": {"state": "Closed"}}', 'reconcile', null, null, null, '2026-02-03 00:00:00+00');
update walletsync.feed set n = 3;

insert into walletsync.notifications (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
values
    ('m-1', 'main', 'n-1', 'CHARGE_PERMISSION', 'B01-1000001-1000001', 'B01-1000001-1000001', 'STATE_CHANGE',
     '2026-03-04 05:06:06+00', '2026-03-04 05:06:06.2+00', '2026-03-04 05:06:06.5+00', 'wanted'),
    ('m-2', 'main', 'n-2', 'REFUND', 'B01-1000001-1000001-R000001', 'B01-1000001-1000001', 'STATE_CHANGE',
     '2026-03-04 06:06:06+00', '2026-03-04 06:06:06.2+00', '2026-03-04 06:06:06.5+00', 'recorded');

insert into walletsync.refreshes (account, id, wanted, done, claimed, since, priority, not_before, lease, lease_until, notified_at, notified_by, read_at, attempts, gone_at, last_error)
values
    ('main', 'B01-1000001-1000001', 3, 2, 3, '2026-03-04 05:06:06.5+00', 20, '-infinity', '11111111-2222-4333-8444-555555555555', '2026-03-04 05:07:00+00',
     '2026-03-04 05:06:06+00', 'm-1', '2026-03-04 05:06:07+00', 1, null, 'TooManyRequests'),
    ('main', 'B01-1000002-1000002', 1, 1, 1, '-infinity', 99, '-infinity', null, '-infinity', null, null, null, 0, '2026-02-03 00:00:00+00', null),
    ('main', 'B01-1000003-1000003', 1, 1, 1, '-infinity', 99, '-infinity', null, '-infinity', null, null, null, 0, null, null);

insert into walletsync.update_sessions (id, account, charge_permission, updates, product_type, locale, start_url, return_to, details, created_at, expires_at,
    state, reason, returned_at, ended_at)
values
    ('aaaaaaaa-0000-4000-8000-000000000001', 'main', 'B01-1000001-1000001', 'both', 'PayAndShip', 'de_DE', '', 'https://shop.example/account',
     '{"scopes": ["name"]}', '2026-03-04 05:00:00+00', '2026-03-05 05:00:00+00', 'completed', null, '2026-03-04 05:05:00+00', '2026-03-04 05:05:01+00'),
    ('aaaaaaaa-0000-4000-8000-000000000002', 'main', 'B01-1000001-1000001', 'payment_method', 'PayOnly', '', '', '',
     '{}', '2026-03-04 06:00:00+00', '2026-03-05 06:00:00+00', 'returned', null, '2026-03-04 06:05:00+00', null);

insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at, held, held_until, failures, last_error,
    outcome, reason, ended_at, completed_at, request_id, stored_at, shown_at)
values
    ('main', 'bd504926-f659-4ad7-a1a9-000000000001', 'aaaaaaaa-0000-4000-8000-000000000001', '2026-03-04 05:05:00+00', null, '-infinity', 0, null,
     'completed', null, '2026-03-04 05:05:01+00', '2026-03-04 05:05:02+00', 'r-2', '2026-03-04 05:06:07.5+00', null),
    ('main', 'bd504926-f659-4ad7-a1a9-000000000002', 'aaaaaaaa-0000-4000-8000-000000000002', '2026-03-04 06:05:00+00',
     '22222222-3333-4444-8555-666666666666', '2026-03-04 06:06:00+00', 2, 'timeout', null, null, null, null, null, null, null);

-- A person who was erased: the erasure marker, and a change for the feed's readers.
update walletsync.refreshes set erased_at = '2026-03-05 00:00:00+00' where id = 'B01-1000002-1000002';

insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, before, after, cause, stored_at)
values (4, 'main', 'B01-1000002-1000002', 'erased', null, null, 'retention', '2026-03-05 00:00:00+00');
update walletsync.feed set n = 4;

insert into walletsync.feed_cursors (reader, position, moved_at) values ('push', 2, '2026-03-04 05:06:08+00');

update walletsync.charge_permissions set cause = 'ipn' where id = 'B01-1000001-1000001';

insert into walletsync.hours (account, hour, after, notifications, changes, lag_p50, lag_p95, failing, granted, granted_from, oldest, counted_at)
values ('main', '2026-03-04 05:00:00+00', 1, 1, 1, 0.3, 0.3, 0, 12345, 12300, 0.5, '2026-03-04 06:01:00+00');

insert into walletsync.console_access (id, at, subject, name, role, action, account, charge_permission)
values ('bbbbbbbb-0000-4000-8000-000000000001', '2026-03-06 08:00:00+00', 'auth|17', 'Sam Support', 'read', 'opened', 'main', 'B01-1000001-1000001');

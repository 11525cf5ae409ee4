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

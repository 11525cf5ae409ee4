insert into walletsync.console_access (id, at, subject, name, role, action, account, charge_permission)
values ('bbbbbbbb-0000-4000-8000-000000000001', '2026-03-06 08:00:00+00', 'auth|17', 'Sam Support', 'read', 'opened', 'main', 'B01-1000001-1000001');

insert into walletsync.hours (account, hour, after, notifications, changes, lag_p50, lag_p95, failing, granted, granted_from, oldest, counted_at)
values ('main', '2026-03-04 05:00:00+00', 1, 1, 1, 0.3, 0.3, 0, 12345, 12300, 0.5, '2026-03-04 06:01:00+00');

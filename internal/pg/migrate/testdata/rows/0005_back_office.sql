insert into walletsync.feed_cursors (reader, position, moved_at) values ('push', 2, '2026-03-04 05:06:08+00');

update walletsync.charge_permissions set cause = 'ipn' where id = 'B01-1000001-1000001';

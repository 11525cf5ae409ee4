-- A person who was erased: a tombstone, and a change that tells the feed's readers.
update walletsync.refreshes set erased_at = '2026-03-05 00:00:00+00' where id = 'B01-1000002-1000002';

insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, before, after, cause, stored_at)
values (4, 'main', 'B01-1000002-1000002', 'erased', null, null, 'retention', '2026-03-05 00:00:00+00');
update walletsync.feed set n = 4;

-- walletsync trip 1: record the notifications; those already there are done with.
-- $1 message ids, $2 accounts, $3 notification ids, $4 object types, $5 object ids, $6 charge permissions ('' for none),
-- $7 types, $8 published, $9 arrived, $10 now (null: the clock).
-- Locks: the new rows, in key order, so that two batches with the same messages wait for one another in one direction.
insert into walletsync.notifications
    (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
select i.message_id, i.account, i.notification_id, i.object_type, i.object_id, nullif(i.charge_permission, ''), i.type,
       i.published_at, i.arrived_at, coalesce($10::timestamptz, clock_timestamp()), 'recorded'
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
     as i (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at)
order by i.message_id collate "C"
on conflict (message_id) do nothing

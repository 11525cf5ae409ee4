-- walletsync trip 1: record the notifications; known ones are ignored. It returns an outcome for each new one without a
-- charge permission: recorded, or unmatched if one was inferred from the id of a charge or refund and is not stored. A
-- charge permission that waits for its first read counts as stored, because that read may be running.
-- $1 message ids, $2 accounts, $3 notification ids, $4 object types, $5 object ids, $6 charge permissions ('' for none),
-- $7 types, $8 published, $9 arrived, $10 now (null: the clock), $11 whether the charge permission is inferred.
-- Locks: the new rows, in key order, so that two batches with the same messages wait for one another in one direction.
-- Indexes: the primary keys of refreshes and charge_permissions, for inferred ones alone.
insert into walletsync.notifications
    (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, processed_at, outcome)
select i.message_id, i.account, i.notification_id, i.object_type, i.object_id,
       case when not m.unmatched then nullif(i.charge_permission, '') end, i.type,
       i.published_at, i.arrived_at, coalesce($10::timestamptz, clock_timestamp()),
       case when m.unmatched then 'unmatched' else 'recorded' end
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[],
            $11::boolean[])
     as i (message_id, account, notification_id, object_type, object_id, charge_permission, type, published_at, arrived_at, inferred),
     lateral (select case when i.inferred then not exists (
                  select from walletsync.refreshes r
                  where r.account = i.account and r.id = i.charge_permission
                    and (r.wanted > r.done or exists (
                        select from walletsync.charge_permissions c where c.account = r.account and c.id = r.id)))
              else false end as unmatched offset 0) m
order by i.message_id collate "C"
on conflict (message_id) do nothing
returning case when charge_permission is null then outcome else '' end

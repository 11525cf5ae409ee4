-- walletsync operator: the notifications that were recorded in a period, in the order of their publication.
-- $1 account, $2 since, $3 until. Locks: none. Index: notifications_processed; what it finds is sorted.
select charge_permission, object_type, object_id, type, published_at, arrived_at, processed_at, outcome
from walletsync.notifications
where account = $1::text and processed_at >= $2::timestamptz and processed_at < $3::timestamptz and charge_permission is not null
order by published_at, message_id

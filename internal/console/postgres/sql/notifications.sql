-- console: the newest notifications that named a charge permission. $1 account, $2 id, $3 most.
-- Locks: none. Index: notifications_of_one. They hold no personal data.
select message_id, notification_id, upper(object_type) as object_type, object_id, type as notification_type, published_at, arrived_at, processed_at, outcome
from walletsync.notifications where account = $1::text and charge_permission = $2::text
order by published_at desc
limit $3::int

-- console: the newest notifications of refunds and chargebacks of a charge permission. $1 account, $2 id, $3 most.
-- Locks: none. Index: notifications_of_one. Masked: back_office_masked.
select object_type, object_id, notification_type, notification_id, message_id, published_at, arrived_at
from back_office.refund_and_chargeback_notifications where account = $1::text and charge_permission_id = $2::text
order by published_at desc
limit $3::int

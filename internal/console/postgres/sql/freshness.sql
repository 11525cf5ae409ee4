-- console: how fresh what is stored of a charge permission is. $1 account, $2 id.
-- Locks: none. Indexes: primary keys. Masked: back_office_masked.
select true_as_of, stored_at, fetched_because, amazon_request_id, newer_reason_waiting, waiting_since, waiting_because, next_attempt_at,
       failed_attempts, last_error, unknown_to_amazon_since, last_notified_at
from back_office.freshness where account = $1::text and charge_permission_id = $2::text

-- console: how fresh what is stored of a charge permission is. $1 account, $2 id.
-- Locks: none. Indexes: primary keys. Masked: back_office_masked.
select as_of, stored_at, last_cause, amazon_request_id, refresh_pending, pending_since, pending_cause, next_attempt_at,
       failed_attempts, last_error, not_found_since, last_notified_at
from back_office.freshness where account = $1::text and charge_permission_id = $2::text

-- console: the newest updates of a charge permission. $1 account, $2 id, $3 most.
-- Locks: none. Indexes: update_sessions_of_one, update_attempts_of_one. Masked: back_office_masked.
select update_id, requested, open, state, failure_reason, started_at, expires_at, returned_at, ended_at, attempts, change_stored_at
from back_office.updates where account = $1::text and charge_permission_id = $2::text
order by started_at desc
limit $3::int

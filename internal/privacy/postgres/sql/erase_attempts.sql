-- walletsync erasure: blank the errors of the buyer's attempts, because an error may quote personal data.
-- $1 account, $2 charge permissions. Locks: update_attempts, whose sessions the statement before has locked. Indexes:
-- update_sessions_of_one, update_attempts_of_one.
update walletsync.update_attempts a set last_error = null
from walletsync.update_sessions s
where s.account = $1::text and s.charge_permission = any ($2::text[]) and a.update_session = s.id and a.last_error is not null

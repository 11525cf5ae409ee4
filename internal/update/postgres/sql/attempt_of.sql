-- One attempt. $1 account (null: that of the session $3), $2 Checkout Session, $3 session, $4 now (null: the clock).
-- Overdue is true 25 hours after the return: Amazon's 24 hours and one more.
-- Locks: none. Index: the primary key.
select a.account, s.charge_permission, a.update_session::text, a.checkout_session, a.returned_at, coalesce(a.outcome, ''),
       a.completed_at, a.key, a.failures, coalesce(a.held::text, ''),
       a.returned_at < coalesce($4::timestamptz, clock_timestamp()) - interval '25 hours'
from walletsync.update_attempts a
join walletsync.update_sessions s on s.id = a.update_session
where a.account = coalesce($1::text, (select o.account from walletsync.update_sessions o where o.id = $3::uuid))
  and a.checkout_session = $2::text

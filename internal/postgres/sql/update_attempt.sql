-- checkout-return: a Checkout Session has come back. One that is there already, of this session or of another, stays as it is.
-- $1 session, $2 Checkout Session, $3 now (null: the clock). Locks: the new row, after its session's.
insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at)
select s.account, $2::text, s.id, coalesce($3::timestamptz, clock_timestamp())
from walletsync.update_sessions s
where s.id = $1::uuid
on conflict (account, checkout_session) do nothing

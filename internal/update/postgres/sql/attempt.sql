-- checkout-return: add an attempt for a returned Checkout Session. An existing attempt, of this session or another, stays the
-- same. No attempt is added after the session's end or beyond the limit.
-- $1 session, $2 Checkout Session, $3 limit, $4 now (null: the clock). Locks: the new row, after its session's, which makes the
-- count exact. Indexes: the primary keys, update_attempts_of_one.
-- The statement does not insert an attempt that it sees, because an insert beside an update of the same row could deadlock
-- with it. "on conflict" covers a first return by two sessions at once, which the session's lock does not exclude.
insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at)
select s.account, $2::text, s.id, t.now
from walletsync.update_sessions s, (select coalesce($4::timestamptz, clock_timestamp()) as now) t
where s.id = $1::uuid and s.expires_at > t.now
  and (select count(*) from walletsync.update_attempts o where o.update_session = s.id) < $3::int
  and not exists (select from walletsync.update_attempts a where a.account = s.account and a.checkout_session = $2::text)
on conflict (account, checkout_session) do nothing

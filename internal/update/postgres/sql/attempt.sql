-- checkout-return: a Checkout Session has come back. One that is there already, of this session or of another, stays as it is.
-- None is added after the session's end, or beyond the limit.
-- $1 session, $2 Checkout Session, $3 limit, $4 now (null: the clock). Locks: the new row, after its session's, which makes the
-- count exact. Indexes: the primary keys, update_attempts_of_one.
-- One that is seen is not inserted: an insert next to an update of the same row waits for it, and may be waited for by it.
-- What the session's lock does not exclude is a first return by two sessions at once, and that is what the conflict is for.
insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at)
select s.account, $2::text, s.id, t.now
from walletsync.update_sessions s, (select coalesce($4::timestamptz, clock_timestamp()) as now) t
where s.id = $1::uuid and s.expires_at > t.now
  and (select count(*) from walletsync.update_attempts o where o.update_session = s.id) < $3::int
  and not exists (select from walletsync.update_attempts a where a.account = s.account and a.checkout_session = $2::text)
on conflict (account, checkout_session) do nothing

-- reconciler: attempts without a clear outcome that nobody works on, the longest left alone first.
-- $1 account, $2 most, $3 now (null: the clock). Locks: none; each is held before it is worked on. Index: update_attempts_open.
select a.update_session::text, a.checkout_session
from walletsync.update_attempts a, (select coalesce($3::timestamptz, clock_timestamp()) as now) t
where a.account = $1::text and a.outcome is null and a.not_before <= t.now and a.held_until <= t.now
order by a.not_before limit $2::int

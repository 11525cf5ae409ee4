-- reconciler: attempts without a clear outcome that nobody works on, the longest left alone first.
-- $1 most, $2 now (null: the clock). Locks: none; each is held before it is worked on. Index: update_attempts_open.
select a.update_session::text, a.checkout_session
from walletsync.update_attempts a, (select coalesce($2::timestamptz, clock_timestamp()) as now) t
where a.outcome is null and a.not_before <= t.now and a.held_until <= t.now
order by a.not_before limit $1::int

-- reconciler: attempts without an outcome that are not leased. First the longest waiting attempt of each charge permission,
-- then the next of each, so that a buyer with many attempts does not delay other buyers.
-- $1 account, $2 limit, $3 now (null: the clock). Locks: none; each is leased before the work on it. Indexes:
-- update_attempts_open, whose rows are few, and the sessions' primary key.
select a.update_session::text, a.checkout_session
from (
    select o.update_session, o.checkout_session, o.not_before,
           row_number() over (partition by s.charge_permission order by o.not_before, o.checkout_session) as turn
    from (select coalesce($3::timestamptz, clock_timestamp()) as now) t, walletsync.update_attempts o
    join walletsync.update_sessions s on s.id = o.update_session
    where o.account = $1::text and o.outcome is null and o.not_before <= t.now and o.held_until <= t.now) a
order by a.turn, a.not_before, a.checkout_session limit $2::int

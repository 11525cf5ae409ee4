-- reconciler: attempts without a clear outcome that nobody works on: of each charge permission the one left alone longest,
-- then of each the next. So a buyer who brings many holds no other buyer's back.
-- $1 account, $2 limit, $3 now (null: the clock). Locks: none; each is held before it is worked on. Indexes:
-- update_attempts_open, whose rows are few, and the sessions' primary key.
select a.update_session::text, a.checkout_session
from (
    select o.update_session, o.checkout_session, o.not_before,
           row_number() over (partition by s.charge_permission order by o.not_before, o.checkout_session) as turn
    from (select coalesce($3::timestamptz, clock_timestamp()) as now) t, walletsync.update_attempts o
    join walletsync.update_sessions s on s.id = o.update_session
    where o.account = $1::text and o.outcome is null and o.not_before <= t.now and o.held_until <= t.now) a
order by a.turn, a.not_before, a.checkout_session limit $2::int

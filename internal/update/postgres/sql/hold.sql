-- checkout-return: lease the attempt, unless it has its outcome, is leased, is not due for its next try, or belongs to
-- another session; and store in the session that the buyer is back. The same token keeps its lease, so that the statement can
-- be repeated. A reload of the page makes no call before the back-off of the last try is over.
-- $1 session, $2 Checkout Session, $3 token, $4 seconds, $5 now (null: the clock).
-- Locks: update_attempts and update_sessions, both under the session's lock. Index: the primary keys.
with t as materialized (
    select coalesce($5::timestamptz, clock_timestamp()) as now
), h as (
    update walletsync.update_attempts a set held = $3::uuid, held_until = t.now + make_interval(secs => $4::float8)
    from t
    where a.update_session = $1::uuid and a.checkout_session = $2::text and a.outcome is null
      and (a.held_until <= t.now and a.not_before <= t.now or a.held = $3::uuid)
    returning a.update_session
)
update walletsync.update_sessions s set
    returned_at = coalesce(s.returned_at, t.now),
    state = case when s.state = 'completed' then s.state else 'returned' end,
    ended_at = case when s.state = 'completed' then s.ended_at end,
    reason = null
from h, t
where s.id = h.update_session

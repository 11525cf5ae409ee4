-- Store the result of work on an attempt and end its lease, if $3 is the token of the lease. The session is locked before.
-- $1 account, $2 Checkout Session, $3 token, $4 outcome (null: none yet), $5 reason, $6 completed at, $7 request id, $8 key,
-- $9 failures, $10 error, $11 seconds until the next try of the reconciler, $12 now (null: the clock).
-- Locks: update_attempts and update_sessions, both under the session's lock. Index: the primary keys, update_attempts_of_one.
with t as materialized (
    select coalesce($12::timestamptz, clock_timestamp()) as now
), a as (
    update walletsync.update_attempts a set
        held = null, held_until = '-infinity', key = $8::int, failures = $9::int, last_error = $10::text,
        not_before = t.now + make_interval(secs => $11::float8),
        outcome = $4::text, reason = $5::text, completed_at = $6::timestamptz, request_id = coalesce($7::text, a.request_id),
        ended_at = case when $4::text is not null then t.now end
    from t
    where a.account = $1::text and a.checkout_session = $2::text and a.held = $3::uuid
    returning a.update_session
), other as materialized (
    select exists (
        select from walletsync.update_attempts o join a on o.update_session = a.update_session
        where o.outcome is null and not (o.account = $1::text and o.checkout_session = $2::text)) as open
), next as materialized (
    select s.id, case
            when s.state = 'completed' or $4::text = 'completed' then 'completed'
            when $4::text is null or other.open then 'returned'
            else 'failed' end as state
    from a, other, walletsync.update_sessions s
    where s.id = a.update_session
)
update walletsync.update_sessions s set
    state = next.state,
    reason = case when next.state = 'failed' then $5::text end,
    ended_at = case when next.state = 'returned' then null when s.state = 'completed' then s.ended_at else t.now end
from next, t
where s.id = next.id

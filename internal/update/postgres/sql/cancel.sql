-- checkout-return: the buyer is back without a Checkout Session. The session has failed, unless an attempt has another outcome.
-- $1 session, $2 reason, $3 now (null: the clock). Locks: update_sessions. Index: the primary key.
update walletsync.update_sessions s set
    returned_at = coalesce(s.returned_at, t.now),
    state = case when s.state in ('started', 'expired') then 'failed' else s.state end,
    reason = case when s.state in ('started', 'expired') then $2::text else s.reason end,
    ended_at = case when s.state in ('started', 'expired') then t.now else s.ended_at end
from (select coalesce($3::timestamptz, clock_timestamp()) as now) t
where s.id = $1::uuid
returning s.state

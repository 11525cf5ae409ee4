-- checkout-return: the buyer is back, and with which Checkout Session is not known; so the outcome is not known either. The
-- state stays, and the read that was requested before is counted, up to the limit.
-- $1 session, $2 limit, $3 now (null: the clock). Locks: update_sessions. Index: the primary key.
update walletsync.update_sessions s set
    returned_at = coalesce(s.returned_at, t.now),
    reads_requested = least(s.reads_requested + 1, $2::int)
from (select coalesce($3::timestamptz, clock_timestamp()) as now) t
where s.id = $1::uuid

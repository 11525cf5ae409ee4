-- checkout-return: the buyer is back, but the Checkout Session and therefore the outcome are unknown. The state stays the
-- same. Count the requested read, up to the limit.
-- $1 session, $2 limit, $3 now (null: the clock). Locks: update_sessions. Index: the primary key.
update walletsync.update_sessions s set
    returned_at = coalesce(s.returned_at, t.now),
    reads_requested = least(s.reads_requested + 1, $2::int)
from (select coalesce($3::timestamptz, clock_timestamp()) as now) t
where s.id = $1::uuid

-- reconciler: mark a session that ended without a return as expired.
-- $1 id, $2 now (null: the clock). Locks: update_sessions. Index: the primary key.
update walletsync.update_sessions s set state = 'expired', ended_at = t.now
from (select coalesce($2::timestamptz, clock_timestamp()) as now) t
where s.id = $1::uuid and s.state = 'started' and s.expires_at <= t.now

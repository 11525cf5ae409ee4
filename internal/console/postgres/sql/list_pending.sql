-- console: the updates that buyers have not finished, the newest first; a charge permission may have several.
-- $1 created at and $2 id of the last that was shown ('infinity' and the greatest id for none), $3 most.
-- Locks: none. Index: update_sessions_pending. Those that have expired and that the reconciler has not ended yet are few.
select u.account, u.charge_permission, u.created_at, u.id::text, 0
from walletsync.update_sessions u
where u.state in ('started', 'returned') and (u.state = 'returned' or u.expires_at > now())
  and (u.created_at, u.id) < ($1::timestamptz, $2::uuid)
order by u.created_at desc, u.id desc
limit $3::int

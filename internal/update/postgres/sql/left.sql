-- reconciler: updates that are due for a refresh. Sessions that expired without a return (it is not known whether Amazon
-- updates without a completion), and completions of the last day with no read since, unless a refresh is pending.
-- $1 account, $2 limit of each kind, $3 now (null: the clock). Locks: none. Indexes: update_sessions_started, update_attempts_completed, the
-- primary keys. Amazon's times are compared only with Amazon's.
(select s.id::text, s.account, s.charge_permission, true as expired, null::timestamptz as completed_at
 from walletsync.update_sessions s
 where s.account = $1::text and s.state = 'started' and s.expires_at <= coalesce($3::timestamptz, clock_timestamp())
 order by s.expires_at limit $2::int)
union all
(select s.id::text, s.account, s.charge_permission, false, a.completed_at
 from walletsync.update_attempts a
 join walletsync.update_sessions s on s.id = a.update_session
 left join walletsync.refreshes r on r.account = s.account and r.id = s.charge_permission
 where a.account = $1::text and a.outcome = 'completed' and a.ended_at > coalesce($3::timestamptz, clock_timestamp()) - interval '1 day'
   and coalesce(r.wanted = r.done, true) and coalesce(r.read_at < a.completed_at, a.completed_at is not null) and r.gone_at is null
 order by a.ended_at limit $2::int)

-- reconciler: delete update sessions that ended at least $2 ago, with their attempts, the oldest first. They accept no more
-- returns, and no worker has their attempts (two days after the last return). Sessions that lifted an erasure are kept: after
-- a restore they show which erasures still stand (restored_standing.sql).
-- $1 account, $2 seconds, $3 limit, $4 now (null: the clock). Locks: update_sessions, the oldest first, and their attempts;
-- rows locked by another run are skipped. Indexes: update_sessions_ended, update_attempts_of_one, charge_permission_changes_of_one.
with t as materialized (
    select coalesce($4::timestamptz, clock_timestamp()) as now
)
delete from walletsync.update_sessions u
where u.ctid = any (array(
    select o.ctid from walletsync.update_sessions o
    where o.account = $1::text and o.ended_at <= (select now from t) - make_interval(secs => $2::float8)
      and o.expires_at <= (select now from t) - interval '2 days'
      and not (o.state = 'completed' and exists (
          select from walletsync.charge_permission_changes h
          join walletsync.update_attempts a on a.update_session = o.id and a.outcome = 'completed' and a.returned_at >= h.stored_at
          where h.account = o.account and h.charge_permission = o.charge_permission and h.facet = 'erased'))
    order by o.ended_at limit $3::int for update skip locked))

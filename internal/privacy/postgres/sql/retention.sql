-- walletsync reconciler: charge permissions whose retention period is over, of an account and of those that have left the
-- configuration: closed and unchanged since; unknown to Amazon; of a type that is no longer followed (their history); or of
-- an account that left, and not read since. All times are Postgres's clock.
-- $1 account, $2 seconds, $3 limit, $4 now (null: the clock). Locks: none; one that stops being due before its erasure was
-- due a moment ago. Indexes: charge_permissions_to_erase, refreshes_gone, charge_permissions_unfollowed,
-- charge_permissions_of_one_buyer.
with t as materialized (
    select n.now, n.now - make_interval(secs => $2::float8) as due
    from (select coalesce($4::timestamptz, clock_timestamp()) as now) n
), of as materialized (
    select a.id as account, coalesce(a.left_at <= t.due, false) as departed
    from walletsync.accounts a, t
    where a.id = $1::text or a.left_at <= t.due
)
select f.account, f.id, (select now from t)
from (select of.account, x.id
      from of, lateral (
          select c.id from walletsync.charge_permissions c
          where c.account = of.account and c.state = 'Closed' and c.raw is not null and c.changed_at <= (select due from t)
          order by c.changed_at, c.id limit $3::int) x
      union
      select of.account, x.id
      from of, lateral (
          select r.id from walletsync.refreshes r
          where r.account = of.account and r.gone_at <= (select due from t) and r.erased_at is null
            and exists (select from walletsync.charge_permissions c where c.account = r.account and c.id = r.id and c.raw is not null)
          order by r.gone_at, r.id limit $3::int) x
      union
      select of.account, x.id
      from of, lateral (
          select c.id from walletsync.charge_permissions c
          where c.account = of.account and c.unfollowed_at <= (select due from t)
          order by c.unfollowed_at, c.id limit $3::int) x
      union
      select of.account, x.id
      from of, lateral (
          select c.id from walletsync.charge_permissions c
          where c.account = of.account and c.raw is not null and c.stored_at <= (select due from t)
          order by c.buyer_id limit $3::int) x -- by the index's order: few rows may be left of a large account
      where of.departed) f
order by f.account, f.id limit $3::int

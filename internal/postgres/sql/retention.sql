-- walletsync reconciler: closed charge permissions in which nothing has changed for so long, with personal data, the
-- longest first. Changed_at is Postgres's clock; when Amazon closed it is Amazon's.
-- $1 account, $2 seconds, $3 most, $4 now (null: the clock). Locks: none; a closed one stays closed. Index:
-- charge_permissions_to_erase.
with t as materialized (
    select coalesce($4::timestamptz, clock_timestamp()) as now
)
select c.id, (select now from t)
from walletsync.charge_permissions c
where c.account = $1::text and c.state = 'Closed' and c.raw is not null
  and c.changed_at <= (select now from t) - make_interval(secs => $2::float8)
order by c.changed_at, c.id limit $3::int

-- walletsync restored: of the erasures that the log names, those after which no update was completed. Both times are
-- Postgres's.
-- $1 account, $2 charge permissions, $3 when each was erased. Locks: none. Indexes: update_sessions_of_one,
-- update_attempts_of_one.
select e.place::int
from unnest($2::text[], $3::timestamptz[]) with ordinality as e (id, at, place)
where not exists (
    select from walletsync.update_sessions s
    join walletsync.update_attempts a on a.update_session = s.id
    where s.account = $1::text and s.charge_permission = e.id and a.outcome = 'completed' and a.returned_at >= e.at)
order by e.place

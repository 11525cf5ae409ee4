-- walletsync update-start: a row in refreshes for each charge permission that a merchant's server announces, locked. One that
-- is not known is requested, due at once.
-- $1 account, $2 ids in key order, $3 priority, $4 now (null: the clock).
-- Locks: refreshes, new and known rows alike in key order ("where false" locks a known row and writes nothing). What is stored
-- for another account gets no row. Indexes: the primary keys, of charge_permissions once for each account. An account that is
-- not there breaks the foreign key.
insert into walletsync.refreshes as r (account, id, wanted, since, priority, not_before)
select $1::text, i.id, 1, t.now, $3::smallint, t.now
from unnest($2::text[]) with ordinality i (id, place), (select coalesce($4::timestamptz, clock_timestamp()) as now) t
where not exists (
    select from walletsync.accounts a, lateral (
        select from walletsync.charge_permissions c where c.account = a.id and c.id = i.id offset 0) c
    where a.id <> $1::text)
order by i.place
on conflict (account, id) do update set account = r.account where false

-- walletsync operator: mark ids that are not known yet as wanted at import priority.
-- $1 account, $2 ids in key order, $3 now (null: the clock).
-- Locks: new rows of refreshes, in key order; one that is known, or that another import is adding, is left alone. Index: the
-- primary key of refreshes. An account that is not there breaks the foreign key.
insert into walletsync.refreshes (account, id, wanted, since, priority, not_before)
select $1::text, i.id, 1, t.now, 70, t.now
from unnest($2::text[]) with ordinality i (id, place), (select coalesce($3::timestamptz, clock_timestamp()) as now) t
order by i.place
on conflict (account, id) do nothing

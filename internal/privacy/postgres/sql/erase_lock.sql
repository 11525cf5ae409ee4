-- walletsync erasure: lock the rows of refreshes, new and known, until the commit, so that no fetch stores in between. The
-- last statement prevents that one stores later.
-- $1 account, $2 charge permissions. Locks: refreshes in key order ("where false" locks a known row and writes nothing).
insert into walletsync.refreshes as r (account, id)
select distinct $1::text, i.id collate "C" from unnest($2::text[]) as i (id)
order by i.id collate "C"
on conflict (account, id) do update set account = r.account where false

-- walletsync operator: what has become of ids that were imported.
-- $1 account, $2 ids. Locks: none. Indexes: the primary keys of refreshes and charge_permissions, a look-up each.
select count(*) filter (where x.state = 'read')::int, count(*) filter (where x.state = 'not followed')::int,
       count(*) filter (where x.state = 'gone')::int, count(*) filter (where x.state = 'failing')::int,
       count(*) filter (where x.state = 'waiting')::int, count(*) filter (where x.state = 'erased')::int,
       coalesce(max(x.last_error) filter (where x.state = 'failing'), '')
from unnest($2::text[]) i (id),
     lateral (select r.erased_at, r.gone_at, r.attempts, r.last_error from walletsync.refreshes r
              where r.account = $1::text and r.id = i.id offset 0) r
     left join lateral (select c.followed from walletsync.charge_permissions c
              where c.account = $1::text and c.id = i.id offset 0) c on true,
     lateral (select r.last_error, case
         when r.erased_at is not null then 'erased'
         when r.gone_at is not null then 'gone'
         when c.followed then 'read'
         when not c.followed then 'not followed'
         when r.attempts > 0 then 'failing'
         else 'waiting' end as state) x

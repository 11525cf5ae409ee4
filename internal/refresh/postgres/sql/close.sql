-- walletsync trip 2, and update: pause the account's calls if the outcomes of calls require it: after a 429, while Amazon Pay
-- refuses our key, when a call could not be made, and when $8 different ids in a row were refused.
-- $1 account, $2 call, $3 seconds to pause (null: none, 0: longer each time, 1 s to 60 s), $4 reason, $5 now (null: the
-- clock), $6 refused ids, $7 whether a call was answered, which ends the row of refused ones, $8 how many of them pause the
-- calls, $9 the reason then, $10 for how many seconds.
-- Locks: the quota row. Several outcomes of one moment count as one, and the same ones again change nothing.
update walletsync.api_quota q
set (refused_ids, closed_for, closed_why, closed_until) = (
    select n.ids,
        case when p.pause then f.seconds else q.closed_for end,
        case when $3::float8 is not null then $4::text when p.pause then $9::text else q.closed_why end,
        case when p.pause then greatest(q.closed_until, t.now + make_interval(
                 secs => greatest(f.seconds, $3::float8, case when p.refused then $10::float8 end)))
             else q.closed_until end
    from (select coalesce($5::timestamptz, clock_timestamp()) as now) t,
         lateral (select case when $7::boolean then '{}'::text[] else array(
             select distinct x.id collate "C" from unnest(q.refused_ids || $6::text[]) as x (id) order by 1 limit $8::int) end as ids) n,
         lateral (select not $7::boolean and cardinality($6::text[]) > 0 and cardinality(n.ids) >= $8::int as refused) r,
         lateral (select r.refused, r.refused or $3::float8 is not null as pause) p,
         lateral (select case
             when q.closed_until > t.now then q.closed_for
             when q.closed_until > t.now - interval '1 minute' then least(60, 2 * greatest(1, q.closed_for))
             else 1 end as seconds) f)
where q.account = $1::text and q.call = $2::text
  and ($3::float8 is not null or cardinality($6::text[]) > 0 or q.refused_ids <> '{}')
returning not $7::boolean and cardinality($6::text[]) > 0 and cardinality(q.refused_ids) >= $8::int

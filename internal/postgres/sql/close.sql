-- walletsync trip 2: close the bucket for a while, after a 429 or while Amazon Pay refuses our key.
-- $1 account, $2 call, $3 seconds (0: grow with each time, 1 s to 60 s), $4 why, $5 now (null: the clock).
-- Locks: the quota row. Several 429s of one moment count as one.
update walletsync.api_quota q
set closed_for = f.seconds, closed_why = $4::text,
    closed_until = greatest(q.closed_until, t.now + make_interval(secs => greatest(f.seconds, $3::float8)))
from (select coalesce($5::timestamptz, clock_timestamp()) as now) t,
     lateral (select case
         when q2.closed_until > t.now then q2.closed_for
         when q2.closed_until > t.now - interval '1 minute' then least(60, 2 * greatest(1, q2.closed_for))
         else 1 end as seconds
         from walletsync.api_quota q2 where q2.account = $1::text and q2.call = $2::text) f
where q.account = $1::text and q.call = $2::text

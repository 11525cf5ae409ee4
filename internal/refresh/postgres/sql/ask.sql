-- walletsync trip 1 of refresh.Now: raise wanted of one charge permission without a notification. It changes and returns no
-- row if the request is covered (the stored state was read long enough after the request's time), or if the lease holds the
-- row already, because the trip is repeated after its answer was lost.
-- $1 account, $2 charge permission, $3 priority, $4 the request's time by Amazon's clock (null: none),
-- $5 margin in seconds, $6 now (null: the clock), $7 lease (null: nothing is to be claimed).
-- Locks: the row of refreshes, new or known, covered or not. A missing account violates the foreign key.
insert into walletsync.refreshes as r (account, id, wanted, since, priority, not_before, notified_at)
select $1::text, $2::text, 1, t.now, $3::smallint, t.now, $4::timestamptz
from (select coalesce($6::timestamptz, clock_timestamp()) as now) t
on conflict (account, id) do update set
    notified_at = greatest(r.notified_at, excluded.notified_at),
    notified_by = case when r.notified_at >= excluded.notified_at or excluded.notified_at is null then r.notified_by end,
    wanted = r.wanted + 1,
    confirms = 0,
    since = case when r.wanted = r.done then excluded.since else r.since end,
    priority = case when r.wanted = r.done then excluded.priority else least(r.priority, excluded.priority) end,
    not_before = case
        when r.wanted = r.done then excluded.not_before
        when r.attempts > 0 then r.not_before
        else least(r.not_before, excluded.not_before) end
where ($7::uuid is null or r.lease is distinct from $7::uuid)
  and not coalesce(excluded.notified_at + make_interval(secs => $5::float8) <= r.read_at, false)

-- walletsync trip 1: raise wanted for the new notifications, and record the outcome of each.
-- $1 message ids, $2 delays in seconds (charges and refunds wait, so that a billing run merges), $3 priorities,
-- $4 margin in seconds, $5 now (null: the clock).
-- Confirming: a pending or running read for a notification that is not older answers this one, too. It settles the row if it
-- is late enough for the newest, and is confirmed if it is not; if it fails, the row stays pending.
-- Locks: none new; the rows of refreshes were locked before, so the values read here stay true.
with n as materialized (
    select i.message_id, m.account, m.charge_permission as id, m.published_at, i.delay, r.id is not null as has_row,
           case when i.priority = 20 and c.id is null then 30 else i.priority end as priority,
           case
               when r.id is null then 'unknown'
               when c.type <> '' and not exists (
                   select from unnest(a.follow_types) t where lower(t) = lower(c.type)) then 'not_followed'
               when m.published_at + make_interval(secs => $4::float8) <= r.read_at then 'covered'
               when r.wanted > r.done and (
                   r.priority = 40 and m.published_at <= greatest(r.notified_at, r.read_at)
                   or r.lease_until > coalesce($5::timestamptz, clock_timestamp()) and m.published_at <= r.notified_at) then 'confirming'
               else 'wanted'
           end as outcome
    from unnest($1::text[], $2::float8[], $3::int[]) as i (message_id, delay, priority)
    join walletsync.notifications m on m.message_id = i.message_id and m.xmin = pg_current_xact_id()::xid
    join walletsync.accounts a on a.id = m.account
    left join walletsync.refreshes r on r.account = m.account and r.id = m.charge_permission
    left join walletsync.charge_permissions c on c.account = m.account and c.id = m.charge_permission
    where m.charge_permission is not null
), outcomes as (
    update walletsync.notifications m set outcome = n.outcome from n where m.message_id = n.message_id
), g as (
    select account, id, max(published_at) as newest,
           (array_agg(message_id order by published_at desc, message_id))[1] as newest_id,
           count(*) filter (where outcome = 'wanted') as reasons,
           min(priority) filter (where outcome = 'wanted') as priority,
           min(delay) filter (where outcome = 'wanted') as delay
    from n where has_row group by account, id
), merged as (
    update walletsync.refreshes r set
        notified_at = greatest(r.notified_at, g.newest),
        notified_by = case when r.notified_at >= g.newest then r.notified_by else g.newest_id end,
        wanted = r.wanted + g.reasons,
        confirms = case when g.reasons > 0 then 0 else r.confirms end,
        since = case when g.reasons > 0 and r.wanted = r.done then t.now else r.since end,
        priority = case
            when g.reasons = 0 then r.priority
            when r.wanted = r.done then g.priority
            else least(r.priority, g.priority) end,
        not_before = case
            when g.reasons = 0 then r.not_before
            when r.wanted = r.done then t.now + make_interval(secs => g.delay)
            when r.attempts > 0 then r.not_before
            else least(r.not_before, t.now + make_interval(secs => g.delay)) end
    from g, (select coalesce($5::timestamptz, clock_timestamp()) as now) t
    where r.account = g.account and r.id = g.id
)
select n.message_id, n.outcome from n

-- walletsync trip 2: claims for which no call could be made. They stay as they were: their leases are freed and their tokens
-- returned. As the lease is, only its holder returns them, and once.
-- $1 lease, $2 account, $3 charge permissions, $4 what went wrong with each.
-- Locks: refreshes is locked by the fence; then the quota row. Index: the primary keys.
with freed as (
    update walletsync.refreshes r set lease = null, lease_until = '-infinity', last_error = u.error
    from unnest($3::text[], $4::text[]) as u (id, error)
    where r.account = $2::text and r.id = u.id and r.lease = $1::uuid
    returning r.id
), returned as (
    update walletsync.api_quota q set tokens = least(q.burst, q.tokens + n.tokens)
    from (select count(*) as tokens from freed) n
    where q.account = $2::text and q.call = 'get_charge_permission' and n.tokens > 0
)
select id from freed

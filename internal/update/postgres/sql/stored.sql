-- Store when the change of an attempt was stored: the first change of address or payment method since the session was
-- created, or since the change of the previous attempt in the same session.
-- $1 account, $2 Checkout Session of the attempt (null: all attempts that ended less than a day ago), $3 now (null: the clock).
-- Locks: update_attempts, in key order, under no other lock. Indexes: the primary key, update_attempts_completed,
-- charge_permission_changes_of_one.
with a as materialized (
    select a.account, a.checkout_session, s.charge_permission,
           greatest(s.created_at, (select max(greatest(o.ended_at, o.stored_at)) from walletsync.update_attempts o
                                   where o.update_session = a.update_session and o.outcome = 'completed'
                                     and o.ended_at < a.ended_at)) as since
    from walletsync.update_attempts a
    join walletsync.update_sessions s on s.id = a.update_session
    where a.outcome = 'completed' and a.stored_at is null
      and a.account = $1::text
      and (a.checkout_session = $2::text
           or $2::text is null and a.ended_at > coalesce($3::timestamptz, clock_timestamp()) - interval '1 day')
    order by a.account, a.checkout_session
    for update of a
), c as materialized (
    select a.account, a.checkout_session, min(h.stored_at) as at
    from a
    join walletsync.charge_permission_changes h
      on h.account = a.account and h.charge_permission = a.charge_permission
     and h.facet in ('shipping_address', 'payment_method') and h.stored_at > a.since
    group by a.account, a.checkout_session
)
update walletsync.update_attempts a set stored_at = c.at
from c
where a.account = c.account and a.checkout_session = c.checkout_session

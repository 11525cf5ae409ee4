-- checkout-return: return the newest change of each facet of a completed attempt once, and store that it has been shown.
-- $1 account, $2 Checkout Session, $3 now (null: the clock).
-- Locks: update_attempts. Indexes: primary keys, charge_permission_changes_of_one.
with a as materialized (
    select a.*, s.charge_permission,
           greatest(s.created_at, (select max(greatest(o.ended_at, o.stored_at)) from walletsync.update_attempts o
                                   where o.update_session = a.update_session and o.outcome = 'completed'
                                     and o.ended_at < a.ended_at)) as since
    from walletsync.update_attempts a
    join walletsync.update_sessions s on s.id = a.update_session
    where a.account = $1::text and a.checkout_session = $2::text and a.outcome = 'completed'
    for update of a
), shown as (
    update walletsync.update_attempts u set shown_at = coalesce($3::timestamptz, clock_timestamp())
    from a
    where u.account = a.account and u.checkout_session = a.checkout_session and a.stored_at is not null and a.shown_at is null
)
select a.stored_at is not null,
       exists (select from walletsync.refreshes r
               where r.account = a.account and r.id = a.charge_permission
                 and r.wanted = r.done and r.read_at >= coalesce(a.completed_at, 'infinity')),
       case when a.shown_at is null then (
           select jsonb_agg(jsonb_build_object('facet', n.facet, 'after', n.after) order by n.facet) from (
               select distinct on (h.facet) h.facet, h.after
               from walletsync.charge_permission_changes h
               where h.account = a.account and h.charge_permission = a.charge_permission
                 and h.facet in ('shipping_address', 'payment_method') and h.stored_at > a.since
               order by h.facet, h.position desc) n)
       end
from a

-- walletsync erasure: blank the merchant's details of updates, and expire update links, because the details that sign the
-- button are gone. A buyer who is already on Amazon's page may still return.
-- $1 account, $2 charge permissions, $3 now (null: the clock). Locks: update_sessions; no other transaction that locks one
-- of them waits for a lock held here. Index: update_sessions_of_one.
update walletsync.update_sessions s set
    details = '{}', start_url = '', return_to = '', erased_at = coalesce(s.erased_at, t.now),
    state = case when s.state = 'started' then 'expired' else s.state end,
    ended_at = case when s.state = 'started' then t.now else s.ended_at end
from (select coalesce($3::timestamptz, clock_timestamp()) as now) t
where s.account = $1::text and s.charge_permission = any ($2::text[])

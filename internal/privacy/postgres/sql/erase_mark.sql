-- walletsync erasure: set the erasure marker, and take the lease over, so that the fence drops the result of a running fetch.
-- The new lease has no holder (the Max UUID: RFC 9562, section 5.10). It keeps its end, so that wake-ups are still due then.
-- $1 account, $2 charge permissions, $3 now (null: the clock). Locks: none new. Index: the primary key.
-- An error may quote personal data, so it is blanked, too.
update walletsync.refreshes r set
    erased_at = coalesce($3::timestamptz, clock_timestamp()), last_error = null,
    lease = case when r.lease is not null then 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid end
where r.account = $1::text and r.id = any ($2::text[])

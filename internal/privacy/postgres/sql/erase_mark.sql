-- walletsync erasure: set the tombstone, and take the lease over, so that the fence drops what a fetch under way brings. The
-- lease goes to nobody (the UUID of ones: RFC 9562, section 5.10) and ends when it would have: whoever is to wake then, is.
-- $1 account, $2 charge permissions, $3 now (null: the clock). Locks: none new. Index: the primary key.
-- An error may quote what it is about, so it goes, too.
update walletsync.refreshes r set
    erased_at = coalesce($3::timestamptz, clock_timestamp()), last_error = null,
    lease = case when r.lease is not null then 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid end
where r.account = $1::text and r.id = any ($2::text[])

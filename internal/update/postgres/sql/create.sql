-- update-start: a new update session. A repetition after an unknown outcome changes nothing.
-- $1 id, $2 account, $3 charge permission, $4 what it updates, $5 product type, $6 locale, $7 start URL, $8 return to,
-- $9 details, $10 expires at, $11 now (null: the clock). Locks: the new row.
insert into walletsync.update_sessions
    (id, account, charge_permission, updates, product_type, locale, start_url, return_to, details, created_at, expires_at)
values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::jsonb,
        coalesce($11::timestamptz, clock_timestamp()), $10::timestamptz)
on conflict (id) do nothing

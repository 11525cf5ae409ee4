-- walletsync console: write down who opened which record. Repeated with the same id it writes nothing.
-- $1 id, $2 subject, $3 name, $4 role, $5 action, $6 account, $7 charge permission, $8 now (null: the clock).
-- Locks: its own row. Index: the primary key.
insert into walletsync.console_access (id, at, subject, name, role, action, account, charge_permission)
values ($1::uuid, coalesce($8::timestamptz, clock_timestamp()), $2::text, $3::text, $4::text, $5::text, $6::text, $7::text)
on conflict (id) do nothing

-- walletsync console: write down what somebody did, a line for each charge permission. Repeated with the same ids it writes
-- nothing.
-- $1 ids, $2 subject, $3 name, $4 role, $5 action, $6 account ('' where no charge permission is concerned), $7 charge
-- permissions (one null where none is), as many as ids, $8 detail, $9 now (null: the clock).
-- Locks: its own rows. Index: the primary key.
insert into walletsync.console_access (id, at, subject, name, role, action, account, charge_permission, detail)
select l.id, coalesce($9::timestamptz, clock_timestamp()), $2::text, $3::text, $4::text, $5::text, nullif($6::text, ''), l.charge_permission, $8::text
from unnest($1::uuid[], $7::text[]) l (id, charge_permission)
on conflict (id) do nothing

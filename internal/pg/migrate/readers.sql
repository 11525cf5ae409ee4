-- The migrator: what a schema's readers may do; %[1]s is the schema, %[2]s their role. Idempotent, and after the steps,
-- so that it holds for whatever they have made.
-- Locks: one migrator at a time, as two that grant at once collide in the catalog.
select pg_advisory_xact_lock(7311, 1);
revoke all on all functions in schema %[1]s from public;
grant usage on schema %[1]s to %[2]s;
grant select on all tables in schema %[1]s to %[2]s;
grant execute on all functions in schema %[1]s to %[2]s;

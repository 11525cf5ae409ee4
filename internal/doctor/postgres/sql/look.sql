-- The doctor: what the server is, who we are there and what we may. $1 the readers' roles. Locks: none.
select current_setting('server_version_num')::int,
       current_user::text,
       n.oid is not null,
       coalesce(has_table_privilege(to_regclass('walletsync.migrations'), 'select')
                and has_table_privilege(to_regclass('walletsync.accounts'), 'select')
                and has_table_privilege(to_regclass('walletsync.api_quota'), 'select'), false),
       case when n.oid is null then has_database_privilege(current_database(), 'create')
            else pg_has_role(n.nspowner, 'usage') end,
       -- what the server, the role and the database let the role open; -1 is no limit (pg_authid, pg_database)
       least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                 - coalesce(current_setting('reserved_connections', true)::int, 0),
             (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user),
             (select nullif(datconnlimit, -1) from pg_database where datname = current_database())),
       current_setting('idle_session_timeout') <> '0',
       array(select r from unnest($1::text[]) r where not exists (select from pg_roles where rolname = r) order by r)
from (select) one
left join pg_namespace n on n.nspname = 'walletsync'

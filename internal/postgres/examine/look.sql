-- The doctor: what the server is, who we are there and what we may. $1 the readers' roles. Locks: none.
select current_setting('server_version_num')::int,
       current_user::text,
       n.oid is not null,
       coalesce(has_table_privilege(to_regclass('walletsync.migrations'), 'select')
                and has_table_privilege(to_regclass('walletsync.accounts'), 'select')
                and has_table_privilege(to_regclass('walletsync.api_quota'), 'select'), false),
       case when n.oid is null then has_database_privilege(current_database(), 'create')
            else pg_has_role(n.nspowner, 'usage') end,
       array(select r from unnest($1::text[]) r where not exists (select from pg_roles where rolname = r) order by r)
from (select) one
left join pg_namespace n on n.nspname = 'walletsync'

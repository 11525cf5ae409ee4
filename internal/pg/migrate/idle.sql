-- The migrator, as the user of the functions: sessions that were idle for long are ended, as Lambda takes functions away
-- without a word to the server. A value that was set otherwise stays, even 0. Locks: the user's row of pg_db_role_setting.
do $$
begin
    if current_setting('idle_session_timeout') = '0' and not exists (
        select from pg_db_role_setting s, unnest(s.setconfig) c
        where s.setrole in (0, current_user::regrole) and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
          and c like 'idle\_session\_timeout=%') then
        execute format('alter role current_user in database %I set idle_session_timeout = %L', current_database(), '10min');
    end if;
end $$

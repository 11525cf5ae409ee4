-- The doctor: which rights on tables the role has not; a table that is not there is the migrations' matter.
-- $1 tables, $2 a right on each. Locks: none.
select lower(w.need) || ' on walletsync.' || w.name
from unnest($1::text[], $2::text[]) as w (name, need)
where to_regclass('walletsync.' || quote_ident(w.name)) is not null
  and not has_table_privilege(to_regclass('walletsync.' || quote_ident(w.name)), w.need)
union all
select 'usage on schema walletsync' where not has_schema_privilege('walletsync', 'usage')
order by 1

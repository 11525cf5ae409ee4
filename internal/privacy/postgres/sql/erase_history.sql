-- walletsync erasure: blank the history in place. Positions stay, and so does impersonal data: changes of state, limit and
-- expiry, and these members of the first read.
-- $1 account, $2 charge permissions, $3 impersonal facets. Locks: rows of the history, which no other statement locks.
-- Index: charge_permission_changes_of_one.
update walletsync.charge_permission_changes h set
    before = null,
    after = case when h.facet = 'first_read' then (
        select jsonb_object_agg(m.key, m.value) from jsonb_each(h.after) m where m.key = any ($3::text[])) end
where h.account = $1::text and h.charge_permission = any ($2::text[]) and h.facet <> all ($3::text[])
  and (h.before is not null or h.after is not null)

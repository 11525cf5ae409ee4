-- update-start, checkout-return: one session, and whether its charge permission is closed.
-- $1 id. Locks: none. Indexes: the primary keys, update_attempts_of_one.
select s.id::text, s.account, s.charge_permission, s.updates, s.product_type, s.locale, s.start_url, s.return_to, s.details,
       s.created_at, s.expires_at, s.state, coalesce(c.state = 'Closed', false), s.erased_at is not null,
       (select count(*) from walletsync.update_attempts a where a.update_session = s.id), s.reads_requested
from walletsync.update_sessions s
left join walletsync.charge_permissions c on c.account = s.account and c.id = s.charge_permission
where s.id = $1::uuid

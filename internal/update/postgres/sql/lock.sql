-- Lock a session, so that only one transaction at a time changes its attempts.
-- $1 id. Locks: update_sessions, whose attempts are locked after it. Index: the primary key.
select from walletsync.update_sessions where id = $1::uuid for update

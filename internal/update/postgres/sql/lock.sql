-- Locks a session, so that its attempts are seen to one at a time.
-- $1 id. Locks: update_sessions, whose attempts are locked after it. Index: the primary key.
select from walletsync.update_sessions where id = $1::uuid for update

-- console: when the last change was stored. Locks: none. Index: the primary key.
select h.stored_at from walletsync.charge_permission_changes h order by h.position desc limit 1

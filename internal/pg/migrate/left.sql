-- The migrator: note which accounts have left the configuration, for retention. $1 is those that it has. Locks: their rows.
update walletsync.accounts set left_at = now() where id <> all ($1::text[]) and left_at is null returning id

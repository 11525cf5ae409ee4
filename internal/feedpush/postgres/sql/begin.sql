-- walletsync push: on the first run, set the cursor to the feed's end.
-- $1 now (null: the clock). Locks: the push's cursor, which no other feature locks. It reads the feed's counter without a lock.
insert into walletsync.feed_cursors (reader, position, moved_at)
select 'push', f.n, coalesce($1::timestamptz, clock_timestamp()) from walletsync.feed f
on conflict (reader) do nothing

-- walletsync push: begin where the feed ends, the first time.
-- $1 now (null: the clock). Locks: the push's cursor, which nothing else does; the feed's counter is read without.
insert into walletsync.feed_cursors (reader, position, moved_at)
select 'push', f.n, coalesce($1::timestamptz, clock_timestamp()) from walletsync.feed f
on conflict (reader) do nothing

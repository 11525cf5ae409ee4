-- walletsync push: move the cursor to a position. It never moves back, because two concurrent runs may report different positions.
-- $1 position, $2 now (null: the clock). Locks: the push's cursor.
update walletsync.feed_cursors c set position = $1::bigint, moved_at = coalesce($2::timestamptz, clock_timestamp())
where c.reader = 'push' and c.position < $1::bigint

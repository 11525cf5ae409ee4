-- walletsync restored: raise the feed's counter beyond all positions that were given out before the restore, however many.
-- It has room for eight million times. Locks: the feed's counter.
update walletsync.feed set n = n + (1::bigint << 40) returning n

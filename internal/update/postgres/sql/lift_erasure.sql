-- walletsync update: the buyer has completed an update, so what was erased before it may be stored again. Read_at goes with
-- the tombstone: what was read meanwhile covers nothing, since it was not stored whole.
-- $1 account, $2 charge permission, $3 Checkout Session. Who came back before the erasure lifts nothing. Locks: the row of
-- refreshes. Indexes: the primary keys.
update walletsync.refreshes r set erased_at = null, read_at = null
where r.account = $1::text and r.id = $2::text
  and r.erased_at <= (select a.returned_at from walletsync.update_attempts a
                      where a.account = $1::text and a.checkout_session = $3::text)

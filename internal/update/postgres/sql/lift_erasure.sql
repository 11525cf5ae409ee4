-- walletsync update: the buyer has completed an update, so data erased before it may be stored again. This clears read_at
-- with the erasure marker, because reads in between were not stored completely.
-- $1 account, $2 charge permission, $3 Checkout Session. A return before the erasure does not lift it. Locks: the row of
-- refreshes. Indexes: the primary keys.
update walletsync.refreshes r set erased_at = null, read_at = null
where r.account = $1::text and r.id = $2::text
  and r.erased_at <= (select a.returned_at from walletsync.update_attempts a
                      where a.account = $1::text and a.checkout_session = $3::text)

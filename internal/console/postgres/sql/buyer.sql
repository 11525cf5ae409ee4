-- console: the buyer of a charge permission. $1 account, $2 id. Locks: none. Index: the primary key. Masked: back_office_masked.
select buyer_id, name, email, phone from back_office.buyers where account = $1::text and charge_permission_id = $2::text

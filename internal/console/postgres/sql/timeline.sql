-- console: the newest changes of a charge permission. $1 account, $2 id, $3 before this position, $4 most.
-- Locks: none. Index: charge_permission_changes_of_one. Masked: back_office_masked.
select position, facet, before, after, cause, message_id, amazon_request_id, as_of, stored_at
from back_office.timeline where account = $1::text and charge_permission_id = $2::text and position < $3::bigint
order by position desc
limit $4::int

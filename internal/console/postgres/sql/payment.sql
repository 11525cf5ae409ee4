-- console: whether a charge permission can be charged. $1 account, $2 id.
-- Locks: none. Indexes: primary keys. Masked: back_office_masked.
select chargeable, why_not, buyer_must, state, reason_codes, since, payment_descriptor, payment_descriptors,
       limit_amount::text as limit_amount, limit_left::text as limit_left, limit_currency, expires_at, true_as_of
from back_office.payment_states where account = $1::text and charge_permission_id = $2::text

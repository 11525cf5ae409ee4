-- console: whether a charge permission can be charged. $1 account, $2 id.
-- Locks: none. Indexes: primary keys. Masked: back_office_masked.
select chargeable, reason, required_action, state, reason_codes, since, payment_descriptor, payment_descriptors,
       limit_amount::text as limit_amount, limit_remaining::text as limit_remaining, limit_currency, expires_at, as_of
from back_office.payment_states where account = $1::text and charge_permission_id = $2::text

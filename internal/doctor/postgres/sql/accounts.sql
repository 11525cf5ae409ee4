-- The doctor: the accounts as the database knows them. Locks: none.
select a.id, a.merchant_id, a.environment, a.region, a.ledger_currency, coalesce(q.per_second, 0)
from walletsync.accounts a
left join walletsync.api_quota q on q.account = a.id and q.call = 'get_charge_permission'
order by a.id

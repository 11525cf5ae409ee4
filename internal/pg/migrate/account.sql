-- The migrator: one account as the configuration has it. Locks: that row.
insert into walletsync.accounts (id, merchant_id, environment, region, ledger_currency, follow_types, follow_known_only)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (id) do update set
    merchant_id = excluded.merchant_id, environment = excluded.environment, region = excluded.region,
    ledger_currency = excluded.ledger_currency, follow_types = excluded.follow_types,
    follow_known_only = excluded.follow_known_only, updated_at = now(), left_at = null

-- The migrator: the share of one call's quota. A new bucket is full; one that exists keeps its tokens, as far as they fit.
-- Locks: that row.
insert into walletsync.api_quota as q (account, call, burst, per_second, tokens)
values ($1, $2, $3, $4, $3)
on conflict (account, call) do update set
    burst = excluded.burst, per_second = excluded.per_second, tokens = least(q.tokens, excluded.burst)

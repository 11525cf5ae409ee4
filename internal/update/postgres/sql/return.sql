-- Return the token of a call that could not be made.
-- $1 account, $2 call. Locks: the quota row.
update walletsync.api_quota q set tokens = least(q.burst, q.tokens + 1) where q.account = $1::text and q.call = $2::text

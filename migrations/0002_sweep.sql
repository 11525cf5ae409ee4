-- What the sweep reads: the longest unread of those that are kept in step.

-- +goose Up

create index charge_permissions_longest_unread on walletsync.charge_permissions (account, stored_at, id)
    where followed and state is distinct from 'Closed';

-- What the sweep found changed: notifications that did not come.

-- +goose Up

create index charge_permission_changes_found
    on walletsync.charge_permission_changes (account, stored_at) where cause = 'reconcile';

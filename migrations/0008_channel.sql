-- What tells whether notifications still come: what the sweep found changed, and
-- the newest notification that named a charge permission.

-- +goose Up

create index charge_permission_changes_found
    on walletsync.charge_permission_changes (account, stored_at) where cause = 'reconcile';
create index notifications_named
    on walletsync.notifications (account, processed_at) where charge_permission is not null;

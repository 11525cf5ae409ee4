-- When an account was last heard of: whether its notifications still come is
-- judged by that.

-- +goose Up

create index notifications_heard on walletsync.notifications (account, processed_at);
create index charge_permission_changes_found
    on walletsync.charge_permission_changes (account, stored_at) where cause = 'reconcile';

-- +goose Down

drop index walletsync.charge_permission_changes_found;
drop index walletsync.notifications_heard;

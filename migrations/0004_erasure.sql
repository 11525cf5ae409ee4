-- Erasure of one person's data, and what retention reads to find what is due.

-- +goose Up

alter table walletsync.refreshes add column erased_at timestamptz; -- tombstone: no personal data is stored; null again once the buyer completes an update

alter table walletsync.charge_permission_changes drop constraint charge_permission_changes_cause_check;
alter table walletsync.charge_permission_changes add constraint charge_permission_changes_cause_check
    check (cause in ('ipn', 'return', 'confirm', 'reconcile', 'refresh', 'import', 'erasure', 'retention')) not valid;
alter table walletsync.charge_permission_changes validate constraint charge_permission_changes_cause_check;

-- What is erased has no raw, so the index holds what retention has still to do.
create index charge_permissions_to_erase on walletsync.charge_permissions (account, changed_at, id)
    where state = 'Closed' and raw is not null;
-- Whoever has a buyer id has raw; retention also finds by it what is stored of an account that left.
create index charge_permissions_of_one_buyer on walletsync.charge_permissions (account, buyer_id) where raw is not null;

alter table walletsync.charge_permissions add column unfollowed_at timestamptz; -- a read found that its type is no longer followed: the history is still there; null: it is followed, or erased
create index charge_permissions_unfollowed on walletsync.charge_permissions (account, unfollowed_at, id) where unfollowed_at is not null;
create index refreshes_gone on walletsync.refreshes (account, gone_at, id) where gone_at is not null and erased_at is null;
alter table walletsync.accounts add column left_at timestamptz; -- the migrator found it missing from the configuration; null: it is configured
create index notifications_processed on walletsync.notifications (account, processed_at);

-- The tables that the convergent refresh stands on: what is wanted, what is
-- stored, what changed, and how many calls are left.

-- +goose Up

-- One merchant id in one environment. The migrator copies here what is not
-- secret in the configuration.
create table walletsync.accounts (
    id                text primary key check (id ~ '^[a-z][a-z0-9-]{0,31}$'),
    merchant_id       text not null check (merchant_id <> ''),
    environment       text not null check (environment in ('live', 'sandbox')),
    region            text not null check (region in ('NA', 'EU', 'JP')),
    ledger_currency   text not null,
    follow_types      text[] not null,
    follow_known_only boolean not null default false,
    updated_at        timestamptz not null default now(),
    unique (merchant_id, environment)
);
comment on table walletsync.accounts is 'Merchant ids, one row each and environment; written by the migrator from the configuration.';

-- The token bucket of one call of one account: walletsync's share of Amazon
-- Pay's quota. Every claim updates its row, so it keeps room for HOT updates.
create table walletsync.api_quota (
    account      text not null references walletsync.accounts (id),
    call         text not null check (call in ('get_charge_permission', 'get_checkout_session', 'complete_checkout_session')),
    burst        double precision not null check (burst >= 1),
    per_second   double precision not null check (per_second > 0),
    tokens       double precision not null check (tokens >= 0),
    refilled_at  timestamptz not null default clock_timestamp(),
    granted      bigint not null default 0, -- tokens ever given; one in ten goes to the longest wanted
    last_grant   integer not null default 0, -- what the last claim got, for the statement that took it
    last_oldest  integer not null default 0,
    closed_until timestamptz not null default '-infinity', -- after a 429, or while the key is refused
    closed_for   double precision not null default 0, -- seconds; grows while 429s go on
    closed_why   text,
    refused_ids  text[] not null default '{}', -- different ids refused in a row, since the last call that was answered
    wake_at      timestamptz not null default '-infinity', -- the earliest wake-up under way
    primary key (account, call)
) with (fillfactor = 50);
comment on table walletsync.api_quota is 'Token bucket per account and call: the share of Amazon Pay''s quota that walletsync takes.';

-- What Amazon Pay returned last, in columns, and whole in raw.
create table walletsync.charge_permissions (
    account                  text not null references walletsync.accounts (id),
    id                       text collate "C" not null check (id ~ '^[A-Z][0-9]{2}-[0-9]{7}-[0-9]{7}$'),
    type                     text not null,
    followed                 boolean not null, -- false: nothing but id and type is kept
    release_environment      text,
    state                    text,
    reasons                  jsonb not null default '[]',
    state_updated_at         timestamptz,
    buyer_id                 text,
    buyer_name               text,
    buyer_email              text,
    buyer_phone              text,
    payment_descriptors      text[] not null default '{}',
    shipping_name            text,
    shipping_line1           text,
    shipping_line2           text,
    shipping_line3           text,
    shipping_city            text,
    shipping_county          text,
    shipping_district        text,
    shipping_state_or_region text,
    shipping_postal_code     text,
    shipping_country_code    text,
    shipping_phone           text,
    billing_name             text,
    billing_line1            text,
    billing_line2            text,
    billing_line3            text,
    billing_city             text,
    billing_county           text,
    billing_district         text,
    billing_state_or_region  text,
    billing_postal_code      text,
    billing_country_code     text,
    billing_phone            text,
    limit_amount             numeric,
    balance_amount           numeric,
    limit_currency           text,
    created_at               timestamptz,
    expires_at               timestamptz,
    read_at                  timestamptz, -- Amazon's clock; null: read without a usable Date
    request_id               text, -- Amazon's name for the read
    stored_at                timestamptz not null,
    changed_at               timestamptz not null,
    raw                      jsonb, -- what Amazon sent, unknown fields included
    primary key (account, id)
) with (fillfactor = 80);
comment on table walletsync.charge_permissions is 'The state of each charge permission as Amazon Pay returned it last.';

-- Append-only. Positions come from the counter in feed and appear in commit
-- order, so a reader that follows them misses nothing.
create table walletsync.charge_permission_changes (
    position          bigint primary key,
    account           text not null,
    charge_permission text collate "C" not null,
    facet             text not null,
    before            jsonb,
    after             jsonb,
    cause             text not null check (cause in ('ipn', 'return', 'confirm', 'reconcile', 'refresh', 'import')),
    message_id        text, -- the newest notification that asked for the read
    request_id        text,
    read_at           timestamptz,
    stored_at         timestamptz not null,
    foreign key (account, charge_permission) references walletsync.charge_permissions (account, id)
);
create index charge_permission_changes_of_one
    on walletsync.charge_permission_changes (account, charge_permission, position);
comment on table walletsync.charge_permission_changes is 'Every change of every charge permission, in the order in which they were stored.';

create table walletsync.feed (
    one boolean primary key default true check (one),
    n   bigint not null
) with (fillfactor = 50);
comment on table walletsync.feed is 'The position of the last change; raised in the statement that appends changes.';
insert into walletsync.feed (n) values (0);

-- The inbox: every notification once.
create table walletsync.notifications (
    message_id        text collate "C" primary key, -- of SNS; the same on every retry
    account           text not null,
    notification_id   text not null,
    object_type       text not null,
    object_id         text not null,
    charge_permission text collate "C", -- null: of the old kind, or of an object whose charge permission is not stored; recorded only
    type              text not null,
    published_at      timestamptz not null, -- Amazon's clock
    arrived_at        timestamptz not null, -- the receiver's clock
    processed_at      timestamptz not null,
    outcome           text not null check (outcome in ('wanted', 'covered', 'confirming', 'not_followed', 'unknown', 'recorded', 'unmatched'))
);
create index notifications_of_one
    on walletsync.notifications (account, charge_permission, published_at) where charge_permission is not null;
comment on table walletsync.notifications is 'Inbox: the notifications that were processed, each with what it led to.';

-- What is wanted and who holds it. One row a charge permission, for good.
create table walletsync.refreshes (
    account     text not null references walletsync.accounts (id),
    id          text collate "C" not null,
    wanted      bigint not null default 0, -- only grows, by one for each reason
    done        bigint not null default 0,
    claimed     bigint not null default 0, -- wanted, as the holder of the lease saw it
    since       timestamptz not null default '-infinity', -- wanted since
    priority    smallint not null default 99,
    not_before  timestamptz not null default '-infinity',
    lease       uuid,
    lease_until timestamptz not null default '-infinity',
    notified_at timestamptz, -- newest notification's Timestamp, Amazon's clock
    notified_by text, -- its message id
    read_at     timestamptz, -- when the stored state was read, Amazon's clock
    attempts    integer not null default 0, -- failures since the last success
    confirms    integer not null default 0, -- confirmations since the last new reason
    gone_at     timestamptz, -- Amazon answered 404, past the margin
    last_error  text,
    primary key (account, id),
    check (done <= wanted and claimed <= wanted),
    check ((lease is null) = (lease_until = '-infinity'))
) with (fillfactor = 70);
comment on table walletsync.refreshes is 'Which charge permissions are wanted, since when, and who is fetching them.';

-- Without the expression in the index, rows that wait for their time are read
-- one by one, and half a million of them cost 80 ms a claim instead of 2. Of
-- ids never read (priority 30) the newest is claimed first.
create index refreshes_due on walletsync.refreshes
    (account, priority, (case when priority = 30 then since end) desc, since, id, greatest(not_before, lease_until)) where wanted > done;
create index refreshes_longest on walletsync.refreshes
    (account, since, id, greatest(not_before, lease_until)) where wanted > done;
create index refreshes_next on walletsync.refreshes
    (account, greatest(not_before, lease_until)) where wanted > done;
create index refreshes_lease on walletsync.refreshes (lease) where lease is not null;

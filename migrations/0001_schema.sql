-- Everything that walletsync stores: refresh requests and the state they keep up
-- to date, the buyers' updates, and what the console and the feed push need.

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
    left_at           timestamptz, -- the migrator found it missing from the configuration; null: it is configured
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
    request_id               text, -- Amazon's id of the request
    stored_at                timestamptz not null,
    changed_at               timestamptz not null,
    raw                      jsonb, -- what Amazon sent, unknown fields included
    cause                    text, -- of the read that is stored
    unfollowed_at            timestamptz, -- a read found that its type is no longer followed: the history is still stored; null: it is followed, or erased
    primary key (account, id)
) with (fillfactor = 80);
comment on table walletsync.charge_permissions is 'The state of each charge permission as Amazon Pay returned it last.';

-- What the sweep reads: the longest unread of those that are kept in step.
create index charge_permissions_longest_unread on walletsync.charge_permissions (account, stored_at, id)
    where followed and state is distinct from 'Closed';
-- What is erased has no raw, so the index holds what retention has still to do.
create index charge_permissions_to_erase on walletsync.charge_permissions (account, changed_at, id)
    where state = 'Closed' and raw is not null;
-- Each row with a buyer id has raw; retention also finds by it what is stored of an account that left.
create index charge_permissions_of_one_buyer on walletsync.charge_permissions (account, buyer_id) where raw is not null;
create index charge_permissions_unfollowed on walletsync.charge_permissions (account, unfollowed_at, id) where unfollowed_at is not null;

-- The console's search. Names, e-mail addresses and postal codes are searched for
-- by how they begin. Plain btree indexes in the collation "C" do that on every
-- PostgreSQL, without an extension; each has an expression that
-- console_search_*.sql repeats word for word. Capitals are folded as the
-- database's locale does, in the locale C those of ASCII alone. Every index ends
-- in what makes its order complete, so that a list goes on where its last page
-- ended.
create index charge_permissions_by_name on walletsync.charge_permissions
    ((lower(buyer_name) collate "C"), account, id);
-- The last word of a name: the family name, or in Japan the given one. Null if
-- there is but one word, which the index above finds. U+3000 is the space of
-- Japanese keyboards.
create index charge_permissions_by_last_word on walletsync.charge_permissions
    ((lower(substring(buyer_name from '[\s\u3000]([^\s\u3000]+)[\s\u3000]*$')) collate "C"), account, id);
create index charge_permissions_by_email on walletsync.charge_permissions
    ((lower(buyer_email) collate "C"), account, id);
create index charge_permissions_by_postal_code on walletsync.charge_permissions
    ((upper(regexp_replace(coalesce(shipping_postal_code, billing_postal_code), '[\s-]', '', 'g')) collate "C"), account, id);
create index charge_permissions_by_state on walletsync.charge_permissions (state, changed_at, account, id) where followed;
create index charge_permissions_changed on walletsync.charge_permissions (changed_at, account, id) where followed;

-- Append-only. Positions come from the counter in feed and appear in commit
-- order, so a reader that follows them misses nothing.
create table walletsync.charge_permission_changes (
    position          bigint primary key,
    account           text not null,
    charge_permission text collate "C" not null,
    facet             text not null,
    before            jsonb,
    after             jsonb,
    cause             text not null check (cause in ('ipn', 'return', 'confirm', 'reconcile', 'refresh', 'import', 'erasure', 'retention')),
    message_id        text, -- the newest notification that asked for the read
    request_id        text,
    read_at           timestamptz,
    stored_at         timestamptz not null,
    foreign key (account, charge_permission) references walletsync.charge_permissions (account, id)
);
create index charge_permission_changes_of_one
    on walletsync.charge_permission_changes (account, charge_permission, position);
-- Changes that the sweep found: each is one whose notification did not come.
create index charge_permission_changes_found
    on walletsync.charge_permission_changes (account, stored_at) where cause = 'reconcile';
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
create index notifications_processed on walletsync.notifications (account, processed_at);
create index notifications_named
    on walletsync.notifications (account, processed_at) where charge_permission is not null;
comment on table walletsync.notifications is 'Inbox: the notifications that were processed, each with what it led to.';

-- Refresh requests and their leases. One row a charge permission, for good.
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
    erased_at   timestamptz, -- erasure marker: no personal data is stored; null again when the buyer completes an update
    primary key (account, id),
    check (done <= wanted and claimed <= wanted),
    check ((lease is null) = (lease_until = '-infinity'))
) with (fillfactor = 70);
comment on table walletsync.refreshes is 'Refresh requests: which charge permissions are to be read, since when, and the lease of the read under way.';

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
create index refreshes_gone on walletsync.refreshes (account, gone_at, id) where gone_at is not null and erased_at is null;
-- Reads that fail: few, or the console is the least of the worries.
create index refreshes_failing on walletsync.refreshes (account, since, id) where attempts > 0 and wanted > done;

-- The buyers' updates: one row for each that a merchant started, and one for each
-- Checkout Session that came back from it.
create table walletsync.update_sessions (
    id                uuid primary key,
    account           text not null references walletsync.accounts (id),
    charge_permission text collate "C" not null check (charge_permission ~ '^[A-Z][0-9]{2}-[0-9]{7}-[0-9]{7}$'),
    updates           text not null check (updates in ('address', 'payment_method', 'both')),
    product_type      text not null check (product_type in ('PayAndShip', 'PayOnly')),
    locale            text not null default '',
    start_url         text not null default '',
    return_to         text not null default '',
    details           jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
    created_at        timestamptz not null default clock_timestamp(),
    expires_at        timestamptz not null,
    state             text not null default 'started'
                      check (state in ('started', 'returned', 'completed', 'failed', 'expired')),
    reason            text check ((reason is not null) = (state = 'failed')),
    returned_at       timestamptz,
    ended_at          timestamptz check ((ended_at is not null) = (state in ('completed', 'failed', 'expired'))),
    erased_at         timestamptz,
    reads_requested   integer not null default 0 check (reads_requested >= 0),
    check (updates = 'payment_method' or product_type = 'PayAndShip')
) with (fillfactor = 80);
comment on table walletsync.update_sessions is 'Every update of a wallet that was started, and how far it has come.';
comment on column walletsync.update_sessions.updates is 'What the buyer is to change on Amazon''s page.';
comment on column walletsync.update_sessions.start_url is 'The merchant''s page that a buyer whose update failed is sent back to; empty: our update page.';
comment on column walletsync.update_sessions.return_to is 'The merchant''s page that the buyer is sent to with the outcome; empty: our result page.';
comment on column walletsync.update_sessions.details is 'deliverySpecifications, scopes and merchantMetadata of Amazon''s payload, as the merchant gave them.';
comment on column walletsync.update_sessions.expires_at is 'Until when a return is taken: the end of the link, and the 24 hours after which Amazon cancels a Checkout Session.';
comment on column walletsync.update_sessions.state is 'returned: an attempt has no clear outcome yet. completed stays, whatever a second tab brings.';
comment on column walletsync.update_sessions.reason is 'Why the last attempt failed: Amazon''s reason code, or a code of ours.';
comment on column walletsync.update_sessions.returned_at is 'When the buyer first came back.';
comment on column walletsync.update_sessions.erased_at is 'Since when no link opens it, because what the button would be signed with was erased. A return is taken until expires_at.';
comment on column walletsync.update_sessions.reads_requested is 'How many reads were requested because the buyer came back without a Checkout Session; bounded.';

create index update_sessions_of_one on walletsync.update_sessions (account, charge_permission, created_at);
-- For the reconciler: those without a return.
create index update_sessions_started on walletsync.update_sessions (account, expires_at) where state = 'started';
-- For retention.
create index update_sessions_ended on walletsync.update_sessions (account, ended_at) where ended_at is not null;
-- Updates that buyers have not finished.
create index update_sessions_pending on walletsync.update_sessions (created_at, id) where state in ('started', 'returned');

create table walletsync.update_attempts (
    account          text not null references walletsync.accounts (id),
    checkout_session text collate "C" not null check (checkout_session <> '' and checkout_session = lower(checkout_session)),
    update_session   uuid not null references walletsync.update_sessions (id) on delete cascade,
    returned_at      timestamptz not null,
    held             uuid,
    held_until       timestamptz not null default '-infinity',
    key              integer not null default 0 check (key >= 0),
    failures         integer not null default 0 check (failures >= 0),
    not_before       timestamptz not null default '-infinity',
    last_error       text,
    outcome          text check (outcome in ('completed', 'failed')),
    reason           text check ((reason is not null) = (coalesce(outcome, '') = 'failed')),
    ended_at         timestamptz check ((ended_at is null) = (outcome is null)),
    completed_at     timestamptz check (completed_at is null or outcome = 'completed'),
    request_id       text,
    stored_at        timestamptz,
    shown_at         timestamptz,
    primary key (account, checkout_session),
    check ((held is null) = (held_until = '-infinity')),
    check (held is null or outcome is null),
    check (outcome = 'completed' or (stored_at is null and shown_at is null))
) with (fillfactor = 80);
comment on table walletsync.update_attempts is 'The Checkout Sessions that came back, each stored before Amazon Pay is asked to complete it.';
comment on column walletsync.update_attempts.held is 'Random token of the process that is completing it; no other may.';
comment on column walletsync.update_attempts.key is 'Which idempotency key is in use; a new one after three failures while the session is still open.';
comment on column walletsync.update_attempts.failures is 'Calls without a clear outcome since that key was taken.';
comment on column walletsync.update_attempts.not_before is 'The reconciler leaves it alone until then.';
comment on column walletsync.update_attempts.outcome is 'Null: not known yet; the reconciler goes on.';
comment on column walletsync.update_attempts.ended_at is 'When we learnt the outcome, by our clock.';
comment on column walletsync.update_attempts.completed_at is 'By when the change was made, by Amazon''s clock: the answer''s Date and a second. Null without a usable Date.';
comment on column walletsync.update_attempts.request_id is 'Amazon''s id of the request whose answer had the outcome.';
comment on column walletsync.update_attempts.stored_at is 'When the resulting change of address or payment method was stored; null: none was, or not yet.';
comment on column walletsync.update_attempts.shown_at is 'When the buyer was shown what changed, which happens once.';

create index update_attempts_of_one on walletsync.update_attempts (update_session);
-- For the reconciler: those without an outcome, and those that ended well of late.
create index update_attempts_open on walletsync.update_attempts (account, not_before) where outcome is null;
create index update_attempts_completed on walletsync.update_attempts (account, ended_at) where outcome = 'completed';

-- How far the push of the feed has got. One row, and room for others.
create table walletsync.feed_cursors (
    reader   text primary key,
    position bigint not null,
    moved_at timestamptz not null
) with (fillfactor = 50);
comment on table walletsync.feed_cursors is 'The cursors of the feed''s readers within walletsync: so far the push alone.';

-- The hourly figures of the console's overview.
-- Changes are counted by their position in the feed, which grows with their
-- time: an index on stored_at would be larger than the whole of this table.
create table walletsync.hours (
    account       text not null references walletsync.accounts (id),
    hour          timestamptz not null check (extract(epoch from hour)::bigint % 3600 = 0),
    after         bigint not null check (after >= 0),
    notifications integer not null check (notifications >= 0),
    changes       integer not null check (changes >= 0),
    lag_p50       double precision check (lag_p50 >= 0),
    lag_p95       double precision check (lag_p95 >= lag_p50),
    failing       integer not null check (failing >= 0),
    granted       bigint not null,
    granted_from  bigint,
    oldest        double precision not null check (oldest >= 0),
    counted_at    timestamptz not null,
    primary key (account, hour)
);
comment on table walletsync.hours is 'What happened in each hour, for the console''s overview. Counted by the reconciler: the hour that is open and the one before it anew at each run.';
comment on column walletsync.hours.after is 'The hour''s changes have positions after this one.';
comment on column walletsync.hours.lag_p50 is 'Seconds from a notification''s arrival to the commit of the change that it brought: half were faster. Null: it brought none.';
comment on column walletsync.hours.lag_p95 is 'The same: 95 of 100 were faster.';
comment on column walletsync.hours.failing is 'The most charge permissions at once whose reads failed, of the moments at which was counted.';
comment on column walletsync.hours.granted is 'api_quota.granted of get_charge_permission when last counted.';
comment on column walletsync.hours.granted_from is 'The same at the end of the hour before. Null: not counted then.';
comment on column walletsync.hours.oldest is 'Seconds that the longest wanted had waited, the most of the moments at which was counted.';

-- The console's access log.
create table walletsync.console_access (
    id                uuid primary key,
    at                timestamptz not null default clock_timestamp(),
    subject           text not null check (subject <> ''),
    name              text not null default '',
    role              text not null check (role in ('masked', 'read', 'act')),
    action            text not null check (action ~ '^[a-z_]{1,40}$'),
    account           text,
    charge_permission text collate "C",
    detail            text not null default '' check (length(detail) <= 100),
    check ((account is null) = (charge_permission is null))
);
comment on table walletsync.console_access is 'Who did what in the console: who opened or changed which record, and who searched. A line is written before anything is shown or done: what cannot be written down is neither.';
comment on column walletsync.console_access.subject is 'The issuer''s name of the person or program, the same for good.';
comment on column walletsync.console_access.name is 'How the issuer called them at that time; empty: not at all.';
comment on column walletsync.console_access.action is 'opened, refreshed, linked, exported, erased; without a charge permission: searched, listed, retried.';
comment on column walletsync.console_access.account is 'As asked for: no foreign key, since what is erased or was never there is written down too. Null with charge_permission: a search, a list or a retry.';
comment on column walletsync.console_access.detail is 'What was searched by (never the term), which list was shown, or the id of the dead-letter message that was retried.';

create index console_access_of_one on walletsync.console_access (account, charge_permission, at, id);
create index console_access_oldest on walletsync.console_access (at);

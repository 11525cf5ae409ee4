-- The buyers' updates: one row for each that a merchant asked for, and one for
-- each Checkout Session that came back from it.

-- +goose Up

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
comment on column walletsync.update_sessions.start_url is 'The merchant''s page that a buyer whose update failed is sent back to; empty: our ready page.';
comment on column walletsync.update_sessions.return_to is 'The merchant''s page that the buyer is sent to with the outcome; empty: our result page.';
comment on column walletsync.update_sessions.details is 'deliverySpecifications, scopes and merchantMetadata of Amazon''s payload, as the merchant gave them.';
comment on column walletsync.update_sessions.expires_at is 'Until when a return is taken: the end of the link, and the 24 hours after which Amazon cancels a Checkout Session.';
comment on column walletsync.update_sessions.state is 'returned: an attempt has no clear outcome yet. completed stays, whatever a second tab brings.';
comment on column walletsync.update_sessions.reason is 'Why the last attempt failed: Amazon''s reason code, or a word of ours.';
comment on column walletsync.update_sessions.returned_at is 'When the buyer first came back.';
comment on column walletsync.update_sessions.erased_at is 'Since when no link opens it, because what the button would be signed with was erased. A return is taken until expires_at.';
comment on column walletsync.update_sessions.reads_requested is 'How many reads were requested because the buyer came back without a Checkout Session; bounded.';

create index update_sessions_of_one on walletsync.update_sessions (account, charge_permission, created_at);
-- For the reconciler: those that nobody has returned from.
create index update_sessions_started on walletsync.update_sessions (account, expires_at) where state = 'started';
-- For the reconciler's retention.
create index update_sessions_ended on walletsync.update_sessions (account, ended_at) where ended_at is not null;

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
comment on column walletsync.update_attempts.held is 'Random token of whoever is completing it; nobody else may.';
comment on column walletsync.update_attempts.key is 'Which idempotency key is in use; a new one after three failures while the session is still open.';
comment on column walletsync.update_attempts.failures is 'Calls without a clear outcome since that key was taken.';
comment on column walletsync.update_attempts.not_before is 'The reconciler leaves it alone until then.';
comment on column walletsync.update_attempts.outcome is 'Null: not known yet; the reconciler goes on.';
comment on column walletsync.update_attempts.ended_at is 'When we learnt the outcome, by our clock.';
comment on column walletsync.update_attempts.completed_at is 'By when the change was made, by Amazon''s clock: the answer''s Date and a second. Null without a usable Date.';
comment on column walletsync.update_attempts.request_id is 'Amazon''s name for the request that told the outcome.';
comment on column walletsync.update_attempts.stored_at is 'When the resulting change of address or payment method was stored; null: none was, or not yet.';
comment on column walletsync.update_attempts.shown_at is 'When the buyer was shown what changed, which happens once.';

create index update_attempts_of_one on walletsync.update_attempts (update_session);
-- For the reconciler: those without an outcome, and those that ended well of late.
create index update_attempts_open on walletsync.update_attempts (account, not_before) where outcome is null;
create index update_attempts_completed on walletsync.update_attempts (account, ended_at) where outcome = 'completed';

-- The console's access log: who opened which record, what they did there, and who searched.

-- +goose Up

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

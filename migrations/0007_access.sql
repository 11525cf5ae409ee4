-- The console's access log: who opened which record, and what they did there.

-- +goose Up

create table walletsync.console_access (
    id                uuid primary key,
    at                timestamptz not null default clock_timestamp(),
    subject           text not null check (subject <> ''),
    name              text not null default '',
    role              text not null check (role in ('masked', 'read', 'act')),
    action            text not null check (action ~ '^[a-z_]{1,40}$'),
    account           text not null,
    charge_permission text collate "C" not null
);
comment on table walletsync.console_access is 'Who opened which record in the console. A line is written before the record is shown: what cannot be written down is not shown.';
comment on column walletsync.console_access.subject is 'The issuer''s name of the person or program, the same for good.';
comment on column walletsync.console_access.name is 'How the issuer called them at that time; empty: not at all.';
comment on column walletsync.console_access.action is 'opened, refreshed, linked, exported, erased …';
comment on column walletsync.console_access.account is 'As asked for: no foreign key, since what is erased or was never there is written down too.';

create index console_access_of_one on walletsync.console_access (account, charge_permission, at, id);
create index console_access_oldest on walletsync.console_access (at);

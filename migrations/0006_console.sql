-- What the console looks rows up by, and the hourly figures of its overview.
--
-- Names, e-mail addresses and postal codes are searched for by how they begin.
-- Plain btree indexes in the collation "C" do that on every PostgreSQL, without
-- an extension; each stands for an expression that sql/console_search_*.sql has
-- word for word. Capitals are folded as the database's locale does, in the locale
-- C those of ASCII alone. Every index ends in what makes its order complete, so that a
-- list goes on where its last page ended.

-- +goose Up

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

-- Reads that fail: few, or the console is the least of the worries.
create index refreshes_failing on walletsync.refreshes (account, since, id) where attempts > 0 and wanted > done;
-- Updates that buyers have not finished.
create index update_sessions_pending on walletsync.update_sessions (created_at, id) where state in ('started', 'returned');

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

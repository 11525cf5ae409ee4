-- The merchant's back-office: the views and functions that it may build on, who
-- may read them, and where the push of the change feed has got to. The promise
-- that they carry is in README.md; the comments below are the reference there.
--
-- Views run with their owner's rights, so that a reader needs none on the tables
-- below. They are no security barriers: no view hides a row from those who may
-- read it, a column that is not in a view cannot be reached through it, and a
-- barrier would keep a join with the merchant's own tables from using the index.
-- For the same reason the functions run with their caller's rights and are
-- inlined: what they cost can be seen by EXPLAIN.
--
-- Every view begins with accounts, a table of a few rows: so a question by id
-- alone, as a merchant with one account asks it, is a look-up in the index that
-- begins with the account, too.

-- +goose Up

create schema back_office;
create schema back_office_masked;

create view back_office.accounts as
select a.id as account, a.merchant_id, a.environment, a.region, a.ledger_currency
from walletsync.accounts a;

create view back_office.shipping_addresses as
select c.account, c.id as charge_permission_id,
       c.shipping_name as name, c.shipping_line1 as line1, c.shipping_line2 as line2, c.shipping_line3 as line3,
       c.shipping_city as city, c.shipping_county as county, c.shipping_district as district,
       c.shipping_state_or_region as state_or_region, c.shipping_postal_code as postal_code,
       c.shipping_country_code as country_code, c.shipping_phone as phone,
       (select h.stored_at from walletsync.charge_permission_changes h
        where h.account = c.account and h.charge_permission = c.id and h.facet in ('shipping_address', 'first_read', 'erased')
        order by h.position desc limit 1) as since,
       c.read_at as as_of
from walletsync.accounts a
join walletsync.charge_permissions c on c.account = a.id
where c.followed;

create view back_office.billing_addresses as
select c.account, c.id as charge_permission_id,
       c.billing_name as name, c.billing_line1 as line1, c.billing_line2 as line2, c.billing_line3 as line3,
       c.billing_city as city, c.billing_county as county, c.billing_district as district,
       c.billing_state_or_region as state_or_region, c.billing_postal_code as postal_code,
       c.billing_country_code as country_code, c.billing_phone as phone,
       (select h.stored_at from walletsync.charge_permission_changes h
        where h.account = c.account and h.charge_permission = c.id and h.facet in ('billing_address', 'first_read', 'erased')
        order by h.position desc limit 1) as since,
       c.read_at as as_of
from walletsync.accounts a
join walletsync.charge_permissions c on c.account = a.id
where c.followed;

create view back_office.buyers as
select c.account, c.id as charge_permission_id, c.buyer_id, c.buyer_name as name, c.buyer_email as email, c.buyer_phone as phone,
       c.read_at as as_of
from walletsync.accounts a
join walletsync.charge_permissions c on c.account = a.id
where c.followed;

-- Which reasons the buyer heals on Amazon's update page, and which pass by
-- themselves: "Charge Permission states and reason codes" of the API reference.
create view back_office.payment_states as
select c.account, c.id as charge_permission_id,
       w.chargeable,
       case when not w.chargeable then coalesce(
           case when r.gone_at is not null then 'Amazon Pay does not know this charge permission' end,
           (select string_agg(coalesce(x.reason ->> 'description', x.reason ->> 'code'), '; ' order by x.place)
            from jsonb_array_elements(c.reasons) with ordinality x (reason, place)),
           c.state) end as reason,
       case
           when w.chargeable then 'nothing'
           when c.state = 'Closed' or r.gone_at is not null then 'set_up_again'
           when w.codes && array['PaymentMethodInvalid', 'PaymentMethodDeleted', 'BillingAddressDeleted', 'PaymentMethodExpired',
                                 'PaymentMethodNotAllowed', 'PaymentMethodNotSet', 'MFAFailed'] then 'update'
           when 'ChargeInProgress' = any (w.codes) or w.limited then 'wait'
           else 'unknown'
       end as required_action,
       c.state, w.codes as reason_codes, c.state_updated_at as since,
       c.payment_descriptors[1] as payment_descriptor, c.payment_descriptors,
       c.limit_amount, c.balance_amount as limit_remaining, c.limit_currency, c.expires_at,
       c.read_at as as_of
from walletsync.accounts a
join walletsync.charge_permissions c on c.account = a.id
left join walletsync.refreshes r on r.account = c.account and r.id = c.id,
lateral (select array(select x ->> 'code' from jsonb_array_elements(c.reasons) x) as codes) k,
lateral (select k.codes, coalesce(c.state = 'Chargeable', false) and r.gone_at is null as chargeable,
                exists (select from unnest(k.codes) code where code ~* '(limit|exceeded)') as limited) w
where c.followed;

create view back_office.updates as
select u.account, u.charge_permission as charge_permission_id, u.id as update_id, u.updates as requested,
       u.state = 'returned' or u.state = 'started' and u.expires_at > now() as open, u.state, u.reason as failure_reason,
       u.created_at as started_at, u.expires_at, u.returned_at, u.ended_at,
       t.attempts, t.change_stored_at
from walletsync.accounts a
join walletsync.update_sessions u on u.account = a.id,
lateral (select count(*)::integer as attempts, max(x.stored_at) as change_stored_at
         from walletsync.update_attempts x where x.update_session = u.id) t;

create view back_office.timeline as
select h.account, h.charge_permission as charge_permission_id, h.position, h.facet, h.before, h.after, h.cause,
       h.message_id, h.request_id as amazon_request_id, h.read_at as as_of, h.stored_at
from walletsync.accounts a
join walletsync.charge_permission_changes h on h.account = a.id;

create view back_office.freshness as
select r.account, r.id as charge_permission_id,
       c.read_at as as_of, c.stored_at, c.cause as last_cause, c.request_id as amazon_request_id,
       r.wanted > r.done as refresh_pending,
       case when r.wanted > r.done then nullif(r.since, '-infinity') end as pending_since,
       case when r.wanted > r.done then
           case r.priority when 10 then 'return' when 15 then 'refresh' when 40 then 'confirm' when 60 then 'reconcile'
                           when 70 then 'import' else 'ipn' end
       end as pending_cause,
       case when r.wanted > r.done then nullif(greatest(r.not_before, r.lease_until), '-infinity') end as next_attempt_at,
       r.attempts as failed_attempts, r.last_error,
       r.gone_at as not_found_since, r.notified_at as last_notified_at, r.erased_at
from walletsync.accounts a
join walletsync.refreshes r on r.account = a.id
left join walletsync.charge_permissions c on c.account = r.account and c.id = r.id
where c.followed is not false;

create view back_office.refund_and_chargeback_notifications as
select n.account, n.charge_permission as charge_permission_id, upper(n.object_type) as object_type, n.object_id,
       n.type as notification_type, n.notification_id, n.message_id, n.published_at, n.arrived_at
from walletsync.accounts a
join walletsync.notifications n on n.account = a.id
where n.charge_permission is not null and upper(n.object_type) in ('REFUND', 'CHARGEBACK');

create view back_office.feed as
select f.n as last_position from walletsync.feed f;

-- +goose StatementBegin
create function back_office.changes_after("cursor" bigint, max integer default 1000)
returns table (account text, charge_permission_id text, "position" bigint, facet text, before jsonb, after jsonb, cause text,
               message_id text, amazon_request_id text, as_of timestamptz, stored_at timestamptz)
language sql stable parallel safe
begin atomic
    select t.account, t.charge_permission_id, t.position, t.facet, t.before, t.after, t.cause,
           t.message_id, t.amazon_request_id, t.as_of, t.stored_at
    from back_office.timeline t
    where t.position > changes_after."cursor"
    order by t.position
    limit least(greatest(coalesce(changes_after.max, 1000), 0), 10000);
end;
-- +goose StatementEnd

-- +goose StatementBegin
create function back_office.address_as_of(id text, at timestamptz, kind text default 'shipping', in_account text default null)
returns table (account text, name text, line1 text, line2 text, line3 text, city text, county text, district text,
               state_or_region text, postal_code text, country_code text, phone text, since timestamptz, "position" bigint)
language sql stable parallel safe
begin atomic
    select l.account, v.a ->> 'name', v.a ->> 'line1', v.a ->> 'line2', v.a ->> 'line3', v.a ->> 'city', v.a ->> 'county',
           v.a ->> 'district', v.a ->> 'state_or_region', v.a ->> 'postal_code', v.a ->> 'country_code', v.a ->> 'phone',
           l.stored_at, l.position
    from (select distinct on (t.account) t.account, t.position, t.facet, t.after, t.stored_at, f.facet as wanted
          from back_office.timeline t,
               (values ('shipping', 'shipping_address'), ('billing', 'billing_address')) f (kind, facet)
          where t.charge_permission_id = address_as_of.id and t.stored_at <= address_as_of.at
            and f.kind = address_as_of.kind and t.facet in (f.facet, 'first_read', 'erased')
            and (address_as_of.in_account is null or t.account = address_as_of.in_account)
          order by t.account, t.position desc) l,
         lateral (select case l.facet when l.wanted then l.after when 'first_read' then l.after -> l.wanted end as a) v;
end;
-- +goose StatementEnd

-- Masked: of one side of a charge permission, what says nothing about the
-- person. It names what may be seen, so that a facet or a member that is new
-- stays hidden until somebody has thought about it. An expression without a
-- query, and no more than stable, as jsonb_build_object is: so it is inlined, and
-- a page of the feed costs no calls.
-- +goose StatementBegin
create function walletsync.masked_descriptors(descriptors jsonb) returns jsonb
language sql immutable parallel safe
begin atomic
    select jsonb_agg(regexp_replace(d, '[0-9]', '*', 'g')) from jsonb_array_elements_text(descriptors) d;
end;
-- +goose StatementEnd

-- +goose StatementBegin
create function walletsync.masked(facet text, value jsonb) returns jsonb
language sql stable parallel safe
begin atomic
    select case
        when value is null then null
        when facet in ('state', 'limit', 'expiry') then value
        when facet in ('shipping_address', 'billing_address') then jsonb_strip_nulls(jsonb_build_object(
            'state_or_region', value -> 'state_or_region', 'country_code', value -> 'country_code'))
        when facet = 'payment_method' then
            jsonb_build_object('payment_descriptors', walletsync.masked_descriptors(value -> 'payment_descriptors'))
        when facet = 'first_read' then jsonb_strip_nulls(jsonb_build_object(
            'state', value -> 'state', 'limit', value -> 'limit', 'expiry', value -> 'expiry',
            'shipping_address', case when value ? 'shipping_address' then jsonb_build_object(
                'state_or_region', value -> 'shipping_address' -> 'state_or_region', 'country_code', value -> 'shipping_address' -> 'country_code') end,
            'billing_address', case when value ? 'billing_address' then jsonb_build_object(
                'state_or_region', value -> 'billing_address' -> 'state_or_region', 'country_code', value -> 'billing_address' -> 'country_code') end,
            'payment_method', case when value ? 'payment_method' then jsonb_build_object(
                'payment_descriptors', walletsync.masked_descriptors(value -> 'payment_method' -> 'payment_descriptors')) end))
    end;
end;
-- +goose StatementEnd

-- How columns with personal data are masked, wherever one of these names appears:
-- the masked value, and what the column's comment says of it.
create table walletsync.masks (name text primary key, value text, note text); -- dropped at the end of this step
insert into walletsync.masks
select unnest(array['name', 'line1', 'line2', 'line3', 'city', 'county', 'district', 'postal_code', 'phone', 'buyer_id', 'email']),
       'null::text', 'Masked: null.'
union all values
    ('payment_descriptor', 'regexp_replace(payment_descriptor, ''[0-9]'', ''*'', ''g'')', 'Masked: without its digits.'),
    ('payment_descriptors', 'array(select regexp_replace(d, ''[0-9]'', ''*'', ''g'') from unnest(payment_descriptors) d)', 'Masked: without its digits.'),
    ('before', 'walletsync.masked(facet, before)', 'Masked: without personal data.'),
    ('after', 'walletsync.masked(facet, after)', 'Masked: without personal data.');

-- The masked schema: each view with its columns masked, and each function over
-- the masked views.
-- +goose StatementBegin
do $$
declare
    c record;
begin
    for c in
        select r.relname as view, string_agg(coalesce(m.value || ' as ', '') || quote_ident(a.attname), ', ' order by a.attnum) as columns
        from pg_class r
        join pg_attribute a on a.attrelid = r.oid and a.attnum > 0
        left join walletsync.masks m on m.name = a.attname
        where r.relnamespace = 'back_office'::regnamespace and r.relkind = 'v'
        group by r.relname
    loop
        execute format('create view back_office_masked.%1$I as select %2$s from back_office.%1$I', c.view, c.columns);
    end loop;
    for c in
        select pg_get_functiondef(p.oid) as definition from pg_proc p where p.pronamespace = 'back_office'::regnamespace
    loop
        execute replace(c.definition, 'back_office.', 'back_office_masked.');
    end loop;
end $$;
-- +goose StatementEnd

-- Who may read is granted after the steps, as it depends on roles of the whole
-- cluster: see internal/pg/migrate/readers.sql.
revoke all on all functions in schema back_office, back_office_masked from public;
-- The views run these as whoever asks; they see nothing but what they are given.
grant execute on function walletsync.masked(text, jsonb), walletsync.masked_descriptors(jsonb) to public;

-- The reference. Clocks: "Amazon's" are times that Amazon Pay or SNS gave,
-- "ours" are the database's. The two are never compared.
comment on schema back_office is 'What walletsync promises the merchant''s back-office: the state of its buyers'' Saved Wallets.';
comment on schema back_office_masked is 'The same views and functions without personal data. Masked columns are null; in payment descriptors only the digits are masked.';
comment on view back_office.accounts is 'The merchant accounts, one row each: a merchant id in one environment. Charge permission ids are unique within an account.';
comment on column back_office.accounts.account is 'Name of the account in the configuration.';
comment on column back_office.accounts.merchant_id is 'Amazon Pay''s merchant id.';
comment on column back_office.accounts.environment is 'live or sandbox.';
comment on column back_office.accounts.region is 'NA, EU or JP.';
comment on column back_office.accounts.ledger_currency is 'ISO 4217: the currency that the account is paid out in.';
comment on view back_office.shipping_addresses is 'The current shipping address of each charge permission that has been read. A row of nulls: it has none, or it was erased. No row: not read yet.';
comment on column back_office.shipping_addresses.name is 'Recipient.';
comment on view back_office.billing_addresses is 'The current billing address of each charge permission that has been read. A row of nulls: it has none, or it was erased. No row: not read yet.';
comment on column back_office.billing_addresses.name is 'Name on the account.';
comment on view back_office.buyers is 'The buyer of each charge permission. One person may have several.';
comment on column back_office.buyers.buyer_id is 'Amazon''s id of the buyer, the same in all charge permissions of the merchant.';
comment on column back_office.buyers.name is 'Full name.';
comment on column back_office.buyers.email is 'E-mail address.';
comment on view back_office.payment_states is 'Can this buyer be charged? If not, why, and what must the buyer do?';
comment on column back_office.payment_states.chargeable is 'True: Amazon Pay takes charges. Amazon may still decline one, or one above limit_remaining.';
comment on column back_office.payment_states.reason is 'Why not, in Amazon''s words, for people to read; null if chargeable. Programs use required_action and reason_codes.';
comment on column back_office.payment_states.required_action is 'nothing; update (the payment method, on Amazon''s update page: start an update); wait (a charge is in progress, or a limit is reached until the next calendar month); set_up_again (a new Saved Wallet: this one is closed, or Amazon does not know it); unknown (a reason that this release does not know: see reason_codes). More may be added: treat them as unknown.';
comment on column back_office.payment_states.state is 'Amazon''s state: Chargeable, NonChargeable or Closed (for good).';
comment on column back_office.payment_states.reason_codes is 'Amazon''s reason codes of that state; empty if it has none.';
comment on column back_office.payment_states.since is 'Amazon''s clock: when the state was last updated.';
comment on column back_office.payment_states.payment_descriptor is 'The payment method as Amazon names it to the buyer, such as Visa ****1111 (Amazon Pay).';
comment on column back_office.payment_states.payment_descriptors is 'All of them, if there are several.';
comment on column back_office.payment_states.limit_amount is 'Most that may be charged in a calendar month, in limit_currency; null: Amazon Pay reported no limit.';
comment on column back_office.payment_states.limit_remaining is 'What is left of it when last read. A charge alone does not bring a new read at once.';
comment on column back_office.payment_states.limit_currency is 'ISO 4217.';
comment on column back_office.payment_states.expires_at is 'Amazon''s clock: when the charge permission ends by itself; null: never reported.';
comment on view back_office.updates is 'Every update of address or payment method that was started for a buyer. Open and recent ones: where open, or order by started_at desc.';
comment on column back_office.updates.update_id is 'Id that POST /update-sessions returned as updateSessionId.';
comment on column back_office.updates.requested is 'address, payment_method or both.';
comment on column back_office.updates.open is 'True: the buyer can still finish it, or it has no clear outcome yet.';
comment on column back_office.updates.state is 'started; returned (the outcome is being found out); completed; failed; expired (the buyer did not come back in time).';
comment on column back_office.updates.failure_reason is 'Why it failed: Amazon''s reason code, such as BuyerCanceled or Declined, or a code of walletsync''s; null if it did not.';
comment on column back_office.updates.started_at is 'Our clock.';
comment on column back_office.updates.expires_at is 'Our clock: until when a return is taken.';
comment on column back_office.updates.returned_at is 'Our clock: when the buyer first came back; null: not yet.';
comment on column back_office.updates.ended_at is 'Our clock: when the outcome was known; null while open.';
comment on column back_office.updates.attempts is 'How many of Amazon''s Checkout Sessions came back (two tabs, a second try).';
comment on column back_office.updates.change_stored_at is 'Our clock: when the resulting change was stored; null: none was, or not yet.';
comment on view back_office.timeline is 'Every change of every charge permission, with what was before and after. Order by position. A balance that moves alone is no change.';
comment on column back_office.timeline.position is 'Place in the change feed: grows from change to change, in the order of their commits, with gaps.';
comment on column back_office.timeline.facet is 'What changed: shipping_address, billing_address, payment_method, state, buyer, limit, expiry; first_read (everything, once); erased (personal data was, also in the rows before). More may be added: ignore those that you do not know.';
comment on column back_office.timeline.before is 'JSON object, its members named as the columns of the views; null: there was nothing, or it was erased. Members may be added.';
comment on column back_office.timeline.after is 'The same after the change. Of first_read: one member for each facet.';
comment on column back_office.timeline.cause is 'Why walletsync read it: ipn, return (the buyer came back), confirm (an early read, confirmed), refresh (requested by staff or a program), reconcile (the sweep), import. Of erased: erasure (requested) or retention (the retention period was over). More may be added.';
comment on column back_office.timeline.message_id is 'SNS''s id of the newest notification that requested the read; null if none did.';
comment on column back_office.timeline.amazon_request_id is 'Amazon''s id of the request whose answer showed the change, for its support.';
comment on column back_office.timeline.as_of is 'Amazon''s clock: when the state was read; null: Amazon''s answer had no usable time.';
comment on column back_office.timeline.stored_at is 'Our clock.';
comment on view back_office.freshness is 'How far what is stored can be trusted, and what is under way. A row for each charge permission that walletsync knows.';
comment on column back_office.freshness.as_of is 'Amazon''s clock: what is stored was true then; null: not read yet, or Amazon''s answer had no usable time.';
comment on column back_office.freshness.stored_at is 'Our clock: when that read was stored; null: not read yet.';
comment on column back_office.freshness.last_cause is 'Why it was read last: the causes of timeline; null: not read yet.';
comment on column back_office.freshness.amazon_request_id is 'Amazon''s id of that request, for its support.';
comment on column back_office.freshness.refresh_pending is 'True: a refresh request is open, because it may have changed since or a read is to be confirmed.';
comment on column back_office.freshness.pending_since is 'Our clock: since when that request is open; null: none is.';
comment on column back_office.freshness.pending_cause is 'The cause of that request, as in timeline; null: none is open.';
comment on column back_office.freshness.next_attempt_at is 'Our clock: not before then; null: as soon as the quota allows, or no request is open.';
comment on column back_office.freshness.failed_attempts is 'Reads that failed since the last that did not.';
comment on column back_office.freshness.last_error is 'What the last failed read said, or which members of the last answer could not be read and keep what was stored before; null: neither.';
comment on column back_office.freshness.not_found_since is 'Our clock: since when Amazon Pay answers 404; null: it knows the charge permission.';
comment on column back_office.freshness.last_notified_at is 'Amazon''s clock: the newest notification that named it; null: none.';
comment on column back_office.freshness.erased_at is 'Our clock: personal data was erased then, and is not stored again until the buyer completes an update; null: it is kept.';
comment on view back_office.refund_and_chargeback_notifications is 'Notifications of refunds and chargebacks that named a charge permission, as long as notifications are kept. They report that something happened, not what: get object_id from Amazon Pay.';
comment on column back_office.refund_and_chargeback_notifications.object_type is 'REFUND or CHARGEBACK.';
comment on column back_office.refund_and_chargeback_notifications.object_id is 'Amazon Pay''s id of the refund or chargeback.';
comment on column back_office.refund_and_chargeback_notifications.notification_type is 'Amazon''s word, such as STATE_CHANGE.';
comment on column back_office.refund_and_chargeback_notifications.notification_id is 'Amazon Pay''s id of the notification.';
comment on column back_office.refund_and_chargeback_notifications.message_id is 'SNS''s id of the message that carried it.';
comment on column back_office.refund_and_chargeback_notifications.published_at is 'Amazon''s clock: when SNS took it.';
comment on column back_office.refund_and_chargeback_notifications.arrived_at is 'Our clock: when it came to us.';
comment on view back_office.feed is 'One row: where the change feed ends.';
comment on column back_office.feed.last_position is 'Position of the last change that is committed. A reader''s lag is this less its cursor, if the counter was not raised by a restore.';
comment on function back_office.changes_after(bigint, integer) is 'The change feed: the changes after a cursor, in order; columns as in timeline. cursor: the position of the last change that the reader has dealt with, 0 for the beginning. max: rows at most, 1000 if not given, never more than 10000. Fewer rows than asked for: that is all for now. Every committed change comes exactly once, those of a charge permission in the order in which they were stored.';
comment on function back_office.address_as_of(text, timestamptz, text, text) is 'The address that was stored at a time (our clock), from the history; columns as in shipping_addresses, and the position of the change that brought it. id: the charge permission. kind: shipping or billing. in_account: only needed if several accounts know the same id. No row: it had not been read by then. A row of nulls: it had none, or it was erased.';

-- Columns that mean the same in every view.
-- +goose StatementBegin
do $$
declare
    c record;
begin
    for c in
        select r.relname as view, a.attname as column, m.meaning
        from (values
            ('account', 'Name of the account in the configuration. With one account there is no need to ask for it.'),
            ('charge_permission_id', 'Amazon Pay''s charge permission id, such as B01-0000000-0000000.'),
            ('line1', 'First line of the street address.'),
            ('line2', 'Second line.'),
            ('line3', 'Third line.'),
            ('city', 'City.'),
            ('county', 'County.'),
            ('district', 'District.'),
            ('state_or_region', 'State, region or prefecture, as Amazon writes it.'),
            ('postal_code', 'Postal code.'),
            ('country_code', 'ISO 3166-1 alpha-2.'),
            ('phone', 'Telephone number.'),
            ('since', 'Our clock: when this address was stored. The one before it: address_as_of.'),
            ('as_of', 'Amazon''s clock: this was true then. Null: Amazon''s answer had no usable time.')) m (name, meaning)
        join pg_attribute a on a.attname = m.name
        join pg_class r on r.oid = a.attrelid and r.relnamespace = 'back_office'::regnamespace and r.relkind = 'v'
        where col_description(r.oid, a.attnum) is null
    loop
        execute format('comment on column back_office.%I.%I is %L', c.view, c.column, c.meaning);
    end loop;
end $$;
-- +goose StatementEnd

-- The masked schema has the same comments, and they say what is masked.
-- +goose StatementBegin
do $$
declare
    c record;
begin
    for c in
        select r.relname, a.attname, m.note, obj_description(o.oid, 'pg_class') as view, col_description(o.oid, a.attnum) as column
        from pg_class r
        join pg_namespace n on n.oid = r.relnamespace and n.nspname = 'back_office_masked'
        join pg_class o on o.relnamespace = 'back_office'::regnamespace and o.relname = r.relname
        join pg_attribute a on a.attrelid = r.oid and a.attnum > 0
        left join walletsync.masks m on m.name = a.attname
    loop
        execute format('comment on view back_office_masked.%I is %L', c.relname, c.view);
        execute format('comment on column back_office_masked.%I.%I is %L', c.relname, c.attname, concat_ws(' ', c.column, c.note));
    end loop;
    for c in
        select f.oid::regprocedure as masked, obj_description(o.oid, 'pg_proc') as function
        from pg_proc f
        join pg_proc o on o.proname = f.proname and o.pronamespace = 'back_office'::regnamespace
        where f.pronamespace = 'back_office_masked'::regnamespace
    loop
        execute format('comment on function %s is %L', c.masked, c.function || ' Masked: without personal data.');
    end loop;
end $$;
-- +goose StatementEnd
drop table walletsync.masks;

-- What squawk must find.
-- Rules: require-concurrent-index-creation constraint-missing-not-valid adding-required-field changing-column-type ban-drop-column
create index unsafe on walletsync.charge_permissions (buyer_name);
alter table walletsync.charge_permissions add constraint unsafe check (id <> '');
alter table walletsync.charge_permissions add column unsafe text not null;
alter table walletsync.charge_permissions alter column state type varchar(10);
alter table walletsync.charge_permissions drop column state;

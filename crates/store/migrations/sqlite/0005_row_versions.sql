-- How often a row was changed. Who changes one says which version the change was decided on, so that of two at once none
-- is lost, whichever nodes they come from.
alter table meetings add column version integer not null default 0;
alter table presets add column version integer not null default 0;
alter table participants add column version integer not null default 0;

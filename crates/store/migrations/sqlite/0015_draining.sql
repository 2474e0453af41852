-- 1: this node is to begin no more sessions, because it is about to be stopped.
alter table nodes add column draining integer not null default 0;

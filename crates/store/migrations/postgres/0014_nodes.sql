-- Where other nodes reach this one, as HOST:PORT; null if they do not.
alter table nodes add column address text;
-- When this run began, by the clock that nodes share.
alter table nodes add column since_ms bigint;
-- When it last took sessions of another node over, by the same clock, and why.
alter table nodes add column takeover_ms bigint;
alter table nodes add column takeover text;

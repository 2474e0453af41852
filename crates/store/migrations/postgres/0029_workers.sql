-- What a node that only records takes: tracks, or pictures too. None of one that has sessions.
alter table nodes add column records text;

-- An index of the records by peer, written with the events it sums up, as `sessions` is. It refers to no other table for
-- the same reasons.
create table session_peers (
    session_id text not null,
    peer_id text not null,
    app_id text not null,
    participant_id text not null,
    origin_id text,
    custom_participant_id text not null,
    name text not null,
    preset_id text not null,
    preset_name text not null,
    -- In the order of first joining, from 0.
    place integer not null,
    counts integer not null,
    first_joined_ms integer not null,
    -- Time before the current stay; since when that is; until when it was seen, if its connection is broken.
    earlier_ms integer not null,
    since_ms integer,
    seen_ms integer,
    left_ms integer,
    -- left, lost, kicked, deleted, ended.
    reason text,
    changed_ms integer not null,
    search_text text not null,
    primary key (session_id, peer_id)
) strict;
create index session_peers_place on session_peers (session_id, place);
create index session_peers_peer on session_peers (app_id, peer_id, first_joined_ms);
create index session_peers_participant on session_peers (app_id, participant_id, first_joined_ms);
create index session_peers_person on session_peers (app_id, custom_participant_id, first_joined_ms);

-- Up to which event `session_peers` has a session. One that is behind `last_seq` is of an earlier version, which may run
-- beside this one, and is read anew from its record.
alter table sessions add column peers_seq integer not null default 0;
create index sessions_behind on sessions (created_ms) where peers_seq < last_seq;
create index sessions_live_created on sessions (app_id, created_ms, id) where ended_ms is null;

-- Sessions that ended, by the UTC day (counted from the epoch) they were made on. Added to in the transaction of their end.
create table session_days (
    app_id text not null,
    day integer not null,
    sessions integer not null,
    settled_ms integer not null,
    -- How many of them are on lists still: they may be too old.
    listed integer not null,
    primary key (app_id, day)
) strict, without rowid;
insert into session_days (app_id, day, sessions, settled_ms, listed)
select app_id, created_ms / 86400000, count(*), sum(settled_ms), count(*) from sessions where ended_ms is not null
group by app_id, created_ms / 86400000;

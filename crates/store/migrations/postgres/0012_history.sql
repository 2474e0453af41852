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
    place bigint not null,
    counts boolean not null,
    first_joined_ms bigint not null,
    -- Time before the current stay; since when that is; until when it was seen, if its connection is broken.
    earlier_ms bigint not null,
    since_ms bigint,
    seen_ms bigint,
    left_ms bigint,
    -- left, lost, kicked, deleted, ended.
    reason text,
    changed_ms bigint not null,
    search_text text not null,
    primary key (session_id, peer_id)
);
create index session_peers_place on session_peers (session_id, place);
create index session_peers_peer on session_peers (app_id, peer_id, first_joined_ms);
create index session_peers_participant on session_peers (app_id, participant_id, first_joined_ms);
create index session_peers_person on session_peers (app_id, custom_participant_id, first_joined_ms);

-- Up to which event `session_peers` has a session. One that is behind `last_seq` is of an earlier version, which may run
-- beside this one, and is read anew from its record.
alter table sessions add column peers_seq bigint not null default 0;
create index sessions_behind on sessions (created_ms) where peers_seq < last_seq;
create index sessions_live_created on sessions (app_id, created_ms, id) where ended_ms is null;

-- Sessions that ended, by the UTC day (counted from the epoch) they were made on. Added to in the transaction of their end.
create table session_days (
    app_id text not null,
    day bigint not null,
    sessions bigint not null,
    settled_ms bigint not null,
    -- How many of them are on lists still: they may be too old.
    listed bigint not null,
    primary key (app_id, day)
);
insert into session_days (app_id, day, sessions, settled_ms, listed)
select app_id, created_ms / 86400000, count(*), cast(sum(settled_ms) as bigint), count(*) from sessions where ended_ms is not null
group by app_id, created_ms / 86400000;

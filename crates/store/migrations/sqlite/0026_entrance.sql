-- Who came to the entrance of a meeting and was not let straight in: a row for each participant, thing that happened and ten
-- minutes. Ids only: names are read where they are kept.
create table entrance (
    meeting_id text not null,
    participant_id text not null,
    what text not null,
    slot integer not null,
    app_id text not null,
    peer_id text not null,
    first_ms integer not null,
    last_ms integer not null,
    times integer not null,
    primary key (meeting_id, participant_id, what, slot)
) strict, without rowid;
create index entrance_by_end on entrance (meeting_id, last_ms);
create index entrance_by_age on entrance (last_ms);
create index entrance_by_person on entrance (app_id, participant_id);

-- Participants of somebody who is being erased by an own id of theirs: found again by a call that finishes what was cut off.
create table erasing (
    app_id text not null,
    custom_participant_id text not null,
    participant_id text not null,
    primary key (app_id, custom_participant_id, participant_id)
);
-- Files of recordings that are told of no more, and whose bytes the sweep has yet to delete.
create table erased_files (
    recording_id text not null,
    name text not null,
    primary key (recording_id, name)
);

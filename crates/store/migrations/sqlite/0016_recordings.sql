-- Recordings: what becomes of their files. What happened in the session is in its record, and refers to these.
create table recordings (
    id text primary key not null,
    app_id text not null,
    meeting_id text not null,
    session_id text not null,
    -- composite, track.
    kind text not null,
    -- INVOKED, RECORDING, PAUSED, UPLOADING, UPLOADED, ERRORED.
    status text not null,
    -- JSON, what was asked for, without secrets.
    config text not null,
    -- JSON, storage of the caller's own, with its secrets; gone once the files are there.
    storage text,
    -- The name of the file, or the pattern of those of tracks.
    name text not null,
    invoked_ms integer not null,
    started_ms integer,
    stopped_ms integer,
    -- Time paused so far, and since when it is.
    paused_ms integer not null default 0,
    paused_since_ms integer,
    -- JSON, who had it started, and stopped.
    started_by text not null,
    stopped_by text,
    error text,
    -- JSON, its files.
    files text not null,
    -- Whether any of them is in Salon's own storage, and when that is over.
    kept integer not null default 0,
    expires_ms integer,
    -- Whose jobs' folder has it until it is stored.
    node text not null,
    -- How often its status changed: the place of what webhooks are told.
    version integer not null default 0,
    search_text text not null
) strict;
create index recordings_app on recordings (app_id, invoked_ms, id);
create index recordings_meeting on recordings (meeting_id, invoked_ms);
create index recordings_session on recordings (session_id);
create index recordings_unfinished on recordings (node, invoked_ms) where status in ('INVOKED', 'RECORDING', 'PAUSED', 'UPLOADING');
create index recordings_expires on recordings (expires_ms) where kept = 1;

-- Livestreams of meetings, one for each time that somebody had one started. What happened in the session is in its record.
create table livestreams (
    id text primary key not null,
    app_id text not null,
    meeting_id text not null,
    session_id text not null,
    -- What the API calls the livestream's session, of which it has one.
    run_id text not null,
    name text,
    -- What is in the address under which it is watched.
    secret text not null,
    -- INVOKED, LIVE, IDLE, ERRORED.
    status text not null,
    -- JSON, what was asked for.
    config text not null,
    created_ms integer not null,
    started_ms integer,
    stopped_ms integer,
    updated_ms integer not null,
    -- What could be watched, and what was by all who did.
    ingest_ms integer not null default 0,
    viewer_ms integer not null default 0,
    -- JSON, who had it started, and stopped.
    started_by text not null,
    stopped_by text,
    error text,
    -- Whether it can be watched still, and when that is over.
    kept integer not null default 0,
    expires_ms integer,
    -- Whose folder has it.
    node text not null,
    -- How often its status changed: the place of what webhooks are told.
    version integer not null default 0
) strict;
create unique index livestreams_run on livestreams (run_id);
create unique index livestreams_secret on livestreams (secret);
create index livestreams_app on livestreams (app_id, created_ms, id);
create index livestreams_meeting on livestreams (meeting_id, created_ms);
create index livestreams_session on livestreams (session_id);
create index livestreams_here on livestreams (node, expires_ms) where kept = 1 or status in ('INVOKED', 'LIVE');

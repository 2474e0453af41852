-- Livestreams that come from elsewhere, of a meeting or of none. Those of none have a session each time that something comes.
alter table livestreams rename to livestreams_before;
drop index livestreams_run;
drop index livestreams_secret;
drop index livestreams_app;
drop index livestreams_meeting;
drop index livestreams_session;
drop index livestreams_here;
create table livestreams (
    id text primary key not null,
    app_id text not null,
    -- None of one that is of no meeting.
    meeting_id text,
    session_id text,
    -- What the API calls the livestream's session: the latest.
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
    version integer not null default 0,
    -- What comes after its id in the key with which it is streamed to us, if it comes from elsewhere.
    stream_key text,
    disabled integer not null default 0,
    -- When its session was asked for; none before anything has come.
    invoked_ms integer
) strict;
insert into livestreams (id, app_id, meeting_id, session_id, run_id, name, secret, status, config, created_ms, started_ms, stopped_ms,
    updated_ms, ingest_ms, viewer_ms, started_by, stopped_by, error, kept, expires_ms, node, version, invoked_ms)
select id, app_id, meeting_id, session_id, run_id, name, secret, status, config, created_ms, started_ms, stopped_ms,
    updated_ms, ingest_ms, viewer_ms, started_by, stopped_by, error, kept, expires_ms, node, version, created_ms from livestreams_before;
drop table livestreams_before;
create unique index livestreams_run on livestreams (run_id);
create unique index livestreams_secret on livestreams (secret);
create index livestreams_app on livestreams (app_id, created_ms, id);
create index livestreams_meeting on livestreams (meeting_id, created_ms);
create index livestreams_session on livestreams (session_id);
create index livestreams_here on livestreams (node, expires_ms) where kept = 1 or status in ('INVOKED', 'LIVE');

-- The sessions of livestreams before the latest, which is in `livestreams`.
create table livestream_sessions (
    run_id text primary key not null,
    livestream_id text not null,
    app_id text not null,
    invoked_ms integer not null,
    started_ms integer,
    stopped_ms integer,
    updated_ms integer not null,
    ingest_ms integer not null,
    viewer_ms integer not null,
    error text
) strict;
create index livestream_sessions_livestream on livestream_sessions (livestream_id, invoked_ms, run_id);
create index livestream_sessions_app on livestream_sessions (app_id, invoked_ms);

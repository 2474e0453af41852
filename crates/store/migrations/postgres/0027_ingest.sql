-- Livestreams that come from elsewhere, of a meeting or of none. Those of none have a session each time that something comes.
alter table livestreams alter column meeting_id drop not null;
alter table livestreams alter column session_id drop not null;
-- What comes after its id in the key with which it is streamed to us, if it comes from elsewhere.
alter table livestreams add column stream_key text;
alter table livestreams add column disabled boolean not null default false;
-- When its session was asked for; none before anything has come.
alter table livestreams add column invoked_ms bigint;
update livestreams set invoked_ms = created_ms;

-- The sessions of livestreams before the latest, which is in `livestreams`.
create table livestream_sessions (
    run_id text primary key not null,
    livestream_id text not null,
    app_id text not null,
    invoked_ms bigint not null,
    started_ms bigint,
    stopped_ms bigint,
    updated_ms bigint not null,
    ingest_ms bigint not null,
    viewer_ms bigint not null,
    error text
);
create index livestream_sessions_livestream on livestream_sessions (livestream_id, invoked_ms, run_id);
create index livestream_sessions_app on livestream_sessions (app_id, invoked_ms);

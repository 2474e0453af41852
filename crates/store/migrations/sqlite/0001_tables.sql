-- Times are milliseconds since the Unix epoch. JSON is text. `search_text` is what a row is found by, in small letters.

create table apps (
    id text primary key not null,
    account_id text not null,
    name text not null,
    search_text text not null,
    created_ms integer not null
) strict;
create unique index apps_name on apps (account_id, name);

create table api_keys (
    hash blob primary key not null,
    account_id text not null,
    email text,
    label text not null,
    created_ms integer not null
) strict;
create index api_keys_account on api_keys (account_id, created_ms);

create table settings (
    key text primary key not null,
    value text not null
) strict;

create table presets (
    id text primary key not null,
    app_id text not null references apps (id),
    name text not null,
    body text not null,
    search_text text not null,
    created_ms integer not null,
    updated_ms integer not null
) strict;
create unique index presets_name on presets (app_id, name);

create table meetings (
    id text primary key not null,
    app_id text not null references apps (id),
    title text,
    active integer not null,
    record_on_start integer not null,
    live_stream_on_start integer not null,
    persist_chat integer not null,
    transcribe_on_end integer not null,
    summarize_on_end integer not null,
    keep_alive_secs integer not null,
    recording_config text,
    ai_config text,
    search_text text not null,
    created_ms integer not null,
    updated_ms integer not null
) strict;
create index meetings_created on meetings (app_id, created_ms, id);

create table participants (
    id text primary key not null,
    meeting_id text not null references meetings (id),
    app_id text not null references apps (id),
    preset_id text not null references presets (id),
    name text,
    picture text,
    custom_participant_id text not null,
    search_text text not null,
    created_ms integer not null,
    updated_ms integer not null
) strict;
create index participants_created on participants (meeting_id, created_ms, id);
create index participants_preset on participants (preset_id);

-- One row for each node, of its latest run.
create table nodes (
    name text primary key not null,
    run text not null unique,
    seen_ms integer not null
) strict;

-- An index of the records, written with the events it sums up. It refers to no other table, because a record outlives
-- what it was about, and because many sessions are written in one transaction that no single row may spoil.
create table sessions (
    id text primary key not null,
    app_id text not null,
    meeting_id text not null,
    title text not null,
    keep_alive_ms integer not null,
    started_ms integer not null,
    created_ms integer not null,
    updated_ms integer not null,
    ended_ms integer,
    live integer not null,
    max_concurrent integer not null,
    participants integer not null,
    settled_ms integer not null,
    live_since_ms integer not null,
    owner_node text not null,
    owner_run text not null,
    epoch integer not null,
    -- When the owning run was last seen, once its node has registered another run; null before.
    owner_seen_ms integer,
    last_seq integer not null,
    search_text text not null
) strict;
create unique index sessions_live on sessions (meeting_id) where ended_ms is null;
create index sessions_created on sessions (app_id, created_ms, id);
create index sessions_meeting on sessions (meeting_id, created_ms, id);

create table session_events (
    session_id text not null,
    seq integer not null,
    at_ms integer not null,
    kind text not null,
    body text not null,
    primary key (session_id, seq)
) strict, without rowid;

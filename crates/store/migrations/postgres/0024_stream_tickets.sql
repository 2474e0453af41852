-- Tickets that open one stream, once: of each its SHA-256, whose key asked for it, and what it opens. They are good for seconds.
create table stream_tickets (
    hash bytea primary key,
    account_id text not null,
    app_id text not null,
    key_hash bytea not null,
    meeting_id text,
    also_session_id text,
    waits boolean not null,
    expires_ms bigint not null
);
create index stream_tickets_by_end on stream_tickets (expires_ms);

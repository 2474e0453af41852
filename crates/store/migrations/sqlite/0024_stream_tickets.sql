-- Tickets that open one stream, once: of each its SHA-256, whose key asked for it, and what it opens. They are good for seconds.
create table stream_tickets (
    hash blob primary key,
    account_id text not null,
    app_id text not null,
    key_hash blob not null,
    meeting_id text,
    also_session_id text,
    waits integer not null,
    expires_ms integer not null
) strict;
create index stream_tickets_by_end on stream_tickets (expires_ms);

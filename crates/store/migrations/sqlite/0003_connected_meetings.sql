-- A connected meeting belongs to the meeting it was made in. A deleted one is kept for the sake of its sessions.
alter table meetings add column parent_id text references meetings (id);
alter table meetings add column deleted_ms integer;
create index meetings_parent on meetings (parent_id, created_ms, id);

-- Of somebody moved here from a connected meeting: the participant there whom this one stands for.
alter table participants add column origin_id text;
create unique index participants_origin on participants (origin_id, meeting_id);

-- Of a session of a connected meeting: the session of its parent that was live when it began.
alter table sessions add column parent_session_id text;
create index sessions_parent on sessions (parent_session_id, created_ms, id);

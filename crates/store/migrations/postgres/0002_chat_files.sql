-- Files uploaded for the chat. A row is made when an upload is allowed, and says where the file lies once it is there.
create table chat_files (
    id text primary key not null,
    meeting_id text not null references meetings (id),
    participant_id text not null,
    name text not null,
    created_ms bigint not null,
    -- Until when the upload may begin.
    upload_until_ms bigint not null,
    -- Until when the file is handed out; null for as long as it is there.
    good_until_ms bigint,
    -- The four are null until the upload is done.
    object text,
    content_type text,
    size bigint,
    uploaded_ms bigint
);
create index chat_files_meeting on chat_files (meeting_id);
create index chat_files_created on chat_files (created_ms);

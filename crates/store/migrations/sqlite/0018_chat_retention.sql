-- Whether what was said in it may still be there.
alter table sessions add column has_chat integer not null default 1;
create index sessions_with_chat on sessions (ended_ms, id) where ended_ms is not null and has_chat = true;

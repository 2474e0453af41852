-- Live sessions by their owner, and those whose owner is no more.
create index sessions_owner on sessions (owner_node) where ended_ms is null;
create index sessions_free on sessions (owner_seen_ms) where ended_ms is null and owner_seen_ms is not null;

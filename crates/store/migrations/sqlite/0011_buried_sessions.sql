-- Sessions that are on no list any more and have left events or measurements, until these are gone too.
create table buried_sessions (
    session_id text primary key not null
) strict;
create index sessions_ended on sessions (ended_ms, id) where ended_ms is not null;
create index peer_quality_updated on peer_quality (updated_ms);
create index peer_quality_blocks_updated on peer_quality_blocks (updated_ms);

-- What was seen of the quality of a peer's call in five minutes of its session; from here on nothing is added to
-- `peer_quality`, which holds that of earlier calls. It refers to no table, so that no row keeps others from being written.
create table peer_quality_blocks (
    session_id text not null,
    peer_id text not null,
    block integer not null,
    body blob not null,
    updated_ms integer not null,
    primary key (session_id, peer_id, block)
) strict;

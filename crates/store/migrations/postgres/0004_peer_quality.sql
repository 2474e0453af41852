-- What was seen of the quality of a peer's call, as JSON. Written anew while the peer is in.
create table peer_quality (
    session_id text not null references sessions (id),
    peer_id text not null,
    sums text not null,
    updated_ms bigint not null,
    primary key (session_id, peer_id)
);

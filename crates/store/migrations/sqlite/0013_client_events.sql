-- What clients said of themselves during a session, for explanations only.
create table client_events (
    session_id text not null,
    peer_id text not null,
    event text not null,
    -- When, by the client's clock and in its own words.
    told text not null,
    at_ms integer not null,
    device text not null,
    state text not null,
    primary key (session_id, peer_id, event, told)
) strict;

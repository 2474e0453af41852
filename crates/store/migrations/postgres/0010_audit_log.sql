-- Who did what. Each account has a chain of entries, each with the hash of itself and of the one before. Added to only.
create table audit_log (
    account_id text not null,
    number bigint not null,
    at_ms bigint not null,
    app_id text,
    -- key, participant, operator, salon.
    by_kind text not null,
    by_id text,
    what text not null,
    -- JSON, pairs of a kind and an id.
    subjects text not null,
    from_address text,
    -- done, refused.
    outcome text not null,
    prev_hash bytea not null,
    hash bytea not null,
    primary key (account_id, number)
);
create index audit_log_at on audit_log (account_id, at_ms);

-- The last entry of each chain.
create table audit_heads (
    account_id text primary key not null,
    number bigint not null,
    hash bytea not null
);

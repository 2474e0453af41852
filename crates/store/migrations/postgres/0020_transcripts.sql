-- A node that listens to a session, or did: its robot is let in while it does, and what it heard is in its folder until it
-- is written down.
create table listenings (
    id text primary key not null,
    app_id text not null,
    meeting_id text not null,
    session_id text not null,
    node text not null,
    -- listening, writing, done.
    state text not null,
    began_ms bigint not null,
    -- What could not be written down, and why.
    error text
);
create unique index listenings_session on listenings (session_id, node);
create index listenings_unfinished on listenings (node, began_ms) where state <> 'done';

-- What was said.
create table transcript_lines (
    session_id text not null,
    peer_id text not null,
    -- When the sound began that it is of, and its place in what was said in that.
    piece_ms bigint not null,
    place bigint not null,
    participant_id text not null,
    custom_participant_id text not null,
    name text not null,
    start_ms bigint not null,
    end_ms bigint not null,
    text text not null,
    -- The preset has it written down while it is said; everybody was told at once.
    enabled boolean not null,
    told boolean not null,
    primary key (session_id, peer_id, piece_ms, place)
);
create index transcript_lines_start on transcript_lines (session_id, start_ms);

-- The transcript of a session that is over, and what it came to.
create table transcripts (
    session_id text primary key not null,
    app_id text not null,
    meeting_id text not null,
    -- When webhooks were told, and until when it may be had.
    ready_ms bigint not null,
    expires_ms bigint not null,
    -- Of the summary: asked, done, failed; how often it was asked for, by which node, how it is to be, and why it failed.
    summary_state text,
    summary_version bigint not null default 0,
    summary_node text,
    summary_config text,
    summary text,
    summary_error text
);
create index transcripts_expires on transcripts (expires_ms);
create index transcripts_asked on transcripts (summary_node) where summary_state = 'asked';

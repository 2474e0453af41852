-- Who wants to be told over HTTP what happens in an app. One without an address is the app's feed, which is read instead.
create table webhooks (
    id text primary key not null,
    app_id text not null references apps (id),
    name text not null,
    url text,
    -- JSON, the names of the events it is told of.
    events text not null,
    enabled integer not null,
    -- Of those that want Standard Webhooks: what they are signed with, and what they were signed with before, until when.
    secret text,
    former_secret text,
    former_until_ms integer,
    -- Tries in a row that came to nothing, and until when there is none.
    failures integer not null default 0,
    paused_until_ms integer not null default 0,
    created_ms integer not null,
    updated_ms integer not null,
    version integer not null default 0
) strict;
create index webhooks_app on webhooks (app_id, created_ms, id);
create unique index webhooks_feed on webhooks (app_id) where url is null;

-- What a webhook is still to be told of one subject, a session as a rule, in order. There for as long as there is something.
create table webhook_lanes (
    webhook_id text not null,
    subject text not null,
    -- Of the last delivery in it.
    last_position integer not null,
    -- When it goes on, by the clock that nodes share.
    next_ms integer not null,
    -- The run that is at it until then.
    holder text,
    primary key (webhook_id, subject)
) strict, without rowid;
create index webhook_lanes_next on webhook_lanes (webhook_id, next_ms);

-- What webhooks were told and are to be told. Written in the transaction of the event; kept for a while after.
create table webhook_deliveries (
    id text primary key not null,
    webhook_id text not null,
    subject text not null,
    position integer not null,
    session_id text not null,
    event text not null,
    -- JSON, under stable names.
    notice text not null,
    -- open, delivered, failed; of a feed always kept.
    state text not null,
    tries integer not null default 0,
    -- Of the last try.
    tried_ms integer,
    status integer,
    answer text,
    created_ms integer not null,
    -- Of a feed's, once it has been read.
    number integer
) strict;
create index webhook_deliveries_open on webhook_deliveries (webhook_id, subject, position) where state = 'open';
create index webhook_deliveries_created on webhook_deliveries (webhook_id, created_ms, position);
create index webhook_deliveries_feed on webhook_deliveries (webhook_id, number) where state = 'kept';

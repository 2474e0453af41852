//! The REST API of a whole node, over HTTP: a file per question.

#[path = "support/ports.rs"]
mod ports;
#[path = "support/receiver.rs"]
mod receiver;
#[path = "support/node.rs"]
mod support;
#[path = "support/watcher.rs"]
mod watcher;

#[path = "rest/access.rs"]
mod access;
#[path = "rest/api_keys.rs"]
mod api_keys;
#[path = "rest/audit_log.rs"]
mod audit_log;
#[path = "rest/breakouts.rs"]
mod breakouts;
#[path = "rest/changes.rs"]
mod changes;
#[path = "rest/chat_files.rs"]
mod chat_files;
#[path = "rest/client.rs"]
mod client;
#[path = "rest/connections.rs"]
mod connections;
#[path = "rest/every_route.rs"]
mod every_route;
#[path = "rest/history.rs"]
mod history;
#[path = "rest/hostile.rs"]
mod hostile;
#[path = "rest/lists.rs"]
mod lists;
#[path = "rest/live.rs"]
mod live;
#[path = "rest/live_sessions.rs"]
mod live_sessions;
#[path = "rest/livestreams.rs"]
mod livestreams;
#[path = "rest/page.rs"]
mod page;
#[path = "rest/people.rs"]
mod people;
#[path = "rest/quality.rs"]
mod quality;
#[path = "rest/recordings.rs"]
mod recordings;
#[path = "rest/retention.rs"]
mod retention;
#[path = "rest/shapes.rs"]
mod shapes;
#[path = "rest/shared_port.rs"]
mod shared_port;
#[path = "rest/stream_tickets.rs"]
mod stream_tickets;
#[path = "rest/webhooks.rs"]
mod webhooks;

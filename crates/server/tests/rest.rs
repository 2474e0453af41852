//! The REST API of a whole node, over HTTP: a file per question.

#[path = "support/node.rs"]
mod support;

#[path = "rest/shapes.rs"]
mod shapes;
#[path = "rest/live.rs"]
mod live;
#[path = "rest/access.rs"]
mod access;
#[path = "rest/lists.rs"]
mod lists;
#[path = "rest/changes.rs"]
mod changes;
#[path = "rest/hostile.rs"]
mod hostile;
#[path = "rest/client.rs"]
mod client;
#[path = "rest/page.rs"]
mod page;

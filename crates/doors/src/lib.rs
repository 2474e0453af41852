//! What clients talk to: REST, websockets, and the page.
//! Reading order: `doors` (what they share), `flows` (what both do), `rest` and `signaling`.
//! Invariant: nothing is acknowledged through any door before it is durable.

mod accept;
pub mod content_type;
pub mod doors;
mod elsewhere;
mod entrance;
pub mod flows;
pub mod host_names;
pub mod ids;
pub mod keys;
pub mod metrics;
pub mod page;
pub mod people;
pub mod pipes;
mod rates;
pub mod recording_links;
mod refused;
pub mod rest;
pub mod rfc3339;
mod session_links;
pub mod signaling;
mod spreadsheet;
pub mod tokens;
mod transcript_forms;
mod web_address;
pub mod webhook_payload;

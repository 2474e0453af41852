//! The shapes others see: signaling messages, their numbers, and REST bodies.
//! Data only: no rule is decided here, and nothing of ours is imported.
//! The official SDKs fix these names and numbers; the server translates them at its doors
//! (`from_wire`, `to_wire`) and they go no further.
//! Reading order: `event_id`, `signaling` (generated from `proto/`), then `rest`, a file per resource.

pub mod event_id;
pub mod rest;
#[rustfmt::skip]
pub mod signaling;

pub use prost::Message;
pub use prost::bytes::Bytes;

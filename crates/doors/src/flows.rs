//! What both doors do with meetings and the people in them, in our own words: no JSON, no protobuf.
//! Invariant: a flow takes the handles it uses, and tells why it came to nothing; each door says that in its own way.
//! Next: `flows/presets.rs`, where stored JSON becomes what a session enforces; `flows/travel.rs`, how people are moved.

pub mod facts;
pub mod failed;
pub mod family;
pub mod kick;
pub mod live_task;
pub mod livestreams;
pub mod new_app;
pub mod presets;
pub mod recordings;
pub mod robots;
pub mod tickets;
pub mod travel;

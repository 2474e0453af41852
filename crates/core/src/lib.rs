//! What a meeting is: the rules, with no I/O, clock, randomness, async or serde.
//! Reading order: `ids`, `time`, `limits`, `name`, `reach`, `preset`, `track`, `permission`, `event`, `record`, `notice`, `session`.
//! Invariant: the live state is the fold of the numbered events; nothing durable changes without one.
//! Time comes in as an argument and what should happen goes out as values.
//! Next: `session.rs` is the door; `record.rs` is the fold that everything else reads.

pub mod erasure;
pub mod event;
pub mod ids;
pub mod limits;
pub mod name;
pub mod notice;
pub mod permission;
pub mod preset;
pub mod reach;
pub mod record;
pub mod session;
pub mod time;
pub mod track;

pub use event::{Event, EventBody};
pub use ids::*;
pub use notice::Notice;
pub use preset::Preset;
pub use reach::{Reach, Scope};
pub use record::{Record, Summary};
pub use session::Session;
pub use time::Timestamp;
pub use track::{Track, TrackKind};

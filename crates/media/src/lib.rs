//! Where tracks of people (core) meet producers of packets (sfu).
//! Owns who has which media connection, and what a preset's quality means for packets.
//! Invariant: knows neither sessions nor doors; what they must hear goes out as `News`.
//! Next: `owners.rs`; `spread.rs` for media at other nodes.

mod awaited;
mod away;
pub mod cap;
mod cut_off;
mod listen;
mod news;
mod owners;
mod readings;
pub mod spread;
mod tries;

pub use listen::{evict_overdue, listen, listen_to_nodes};
pub use news::News;
pub use owners::reunion::reunite;
pub use owners::{Opened, Owners, Wanted};
pub use readings::{Reading, readings};
pub use spread::{Find, Spread, Whereabouts};
pub use tries::Outlook;

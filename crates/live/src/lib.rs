//! Who is live on this node: the heart of Salon, and nothing else.
//! Owns the sessions' tasks, the claim on them among the nodes, the clock, and what was told of them.
//! Invariant: nothing is told of a session without two proofs: that the claim holds (`Held`), and that the moment it is
//! told of will be remembered (`Told`). Knows neither wire nor media: they come in as `Outlets`.
//! Next: `hub.rs`, the way in; `session_task.rs`, the driver of one session; `keeper.rs`, what keeps all of them.

mod adopt;
mod alive;
mod answer;
mod clock;
mod fallen;
mod families;
mod figures;
mod handed;
mod hub;
mod inbox;
mod indexing;
mod keeper;
mod lease;
mod node;
mod orphans;
mod outlets;
mod places;
mod seen;
mod session_task;
mod table;

pub use adopt::{Place, Remote};
pub use alive::{Alive, Told};
pub use answer::{Live, Reading, ToldOf};
pub use clock::{Clock, Moment, SinceBoot};
pub use figures::Figures;
pub use handed::{AllHanded, SESSION};
pub use hub::Hub;
pub use inbox::{Handle, Newcomer, Push, Removed, Unavailable};
pub use indexing::index_people;
pub use lease::{HOLDS_MS, Held, Lease};
pub use node::Parts;
pub use orphans::{Luck, in_own_order};
pub use outlets::{Orders, Outlets, StopRecording};
pub use seen::{Evidence, GoesOn};

//! Sockets before protocols: ports, who is let in on them, and what a connection is for by its first byte.
//! Invariant: who says nothing keeps nobody waiting.
//! Knows nothing of ours: what takes connections that are not HTTP is handed in.
//! Next: `door.rs`.

mod candidates;
mod door;
mod port;

pub use candidates::browsers_take;
pub use door::{Aside, Door, aside_only};
pub use port::Port;

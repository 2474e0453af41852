//! Sockets before protocols: ports, who is let in on them, and what a connection is for by its first byte; then HTTP/1.
//! Invariant: who says nothing, or not all of a request, keeps nobody waiting and does not stay.
//! Knows nothing of ours: what answers requests, and what takes connections that are not HTTP, is handed in.
//! Next: `door.rs`.

mod borders;
mod candidates;
mod crowd;
mod descriptors;
mod door;
mod figures;
mod http;
mod line;
mod network;
mod port;
mod stream;

pub use borders::Borders;
pub use candidates::browsers_take;
pub use crowd::Bounds;
pub use descriptors::raise_descriptors;
pub use door::{Aside, Door, aside_only};
pub use figures::Figures;
pub use line::Patience;
pub use network::Network;
pub use port::Port;
pub use stream::Stream;

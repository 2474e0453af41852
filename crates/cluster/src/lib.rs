//! How nodes talk: a request, or a websocket, that came to the wrong node goes to the right one as it is.
//! Carries bytes, may lose them, and decides nothing: who owns a session is a row in the store.
//! Invariant: what goes from node to node names the secret of the cluster, and a request is passed on once.
//! Next: `pass.rs`, requests; `pipe.rs`, websockets; `dial.rs`, connections of their own; `hints.rs`, what nodes tell each other by the way.

mod beats;
mod dial;
mod frames;
mod hints;
mod nats;
mod pass;
mod pipe;
mod secret;

pub use dial::{look_up, switching};
pub use hints::{Heard, Hint, Hints, Line, hints, is_nats};
pub use pass::{ELSEWHERE, Nodes, Unreached};
pub use pipe::{PIPE, Passing, Piped};
pub use secret::{PEER, REACHED, Secret};

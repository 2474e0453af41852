//! One websocket: admission, pings, the envelope, and the loop between the client and its session.
//! Next: `socket/upgrade.rs`, how it comes about; `socket/line.rs`, the loop; `dispatch.rs`, all messages.

mod goodbye;
mod line;
mod note;
mod porch;
mod quiet;
mod rate;
mod take_up;
mod upgrade;
mod visit;

pub use note::SOCKET;
pub use porch::{Porch, Settings};
pub use upgrade::upgrade;

//! RTMP, both ways: a recording that is streamed while it is made, and what others stream to us.
//! Reading order: `address`, `sender` (its life), `backlog` (what waits), `line` (a connection), `publisher` (what is said on it)
//! in `chunks` and `amf`, `tags` (what is sent); `session`, the other side.
//! Nobody else is started for it: the address, which has a key in it, is in no arguments, no environment and no file.

mod address;
mod amf;
mod backlog;
mod chunks;
mod line;
mod publisher;
mod sender;
mod session;
mod tags;

pub use address::{Address, NoAddress};
pub use chunks::Nonsense;
pub use sender::{Feed, Sender};
pub use session::{Heard, Key, No, Session};
pub use tags::Kind;

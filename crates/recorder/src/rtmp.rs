//! A recording that is streamed while it is made, to a receiver that speaks RTMP.
//! Reading order: `address`, `sender` (its life), `backlog` (what waits), `line` (a connection), `publisher` (what is said on it)
//! in `chunks` and `amf`, `tags` (what is sent).
//! Nobody else is started for it: the address, which has a key in it, is in no arguments, no environment and no file.

mod address;
mod amf;
mod backlog;
mod chunks;
mod line;
mod publisher;
mod sender;
mod tags;

pub use address::{Address, NoAddress};
pub use sender::{Feed, Sender};

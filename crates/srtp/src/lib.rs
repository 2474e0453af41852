//! The keys of a DTLS-SRTP connection and what is done with them, at either end: the SFU's and a client's.
//! str0m shakes hands; media goes past it. Reading order: `keys` (where the keys come from), `repeat` (keys of an earlier
//! process), `cipher` (how they are cut), `seal` (what we send), `open` (what we get).
//! Invariant: nothing here knows of streams; who calls sees to it that an index is used for one packet.

mod cipher;
mod keys;
mod open;
mod repeat;
mod seal;
mod slot;

pub use cipher::End;
pub use keys::{crypto, overhear, repeat};
pub use open::{RtcpOpener, RtpOpener};
pub use seal::Sealer;
pub use slot::Slot;

//! How a process becomes its successor: it falls quiet, packs what must not be lost, and executes the new program in its own
//! place. The process id, the descriptors and the memory they stand for stay; all else begins anew from the store.
//! Invariant: until the new program runs nothing is given away, so whatever goes wrong before that costs a pause.
//! Knows nothing of ours: what is in a parcel is between those who pack and unpack it.
//! Next: `passage.rs`, who falls quiet when; `bundle.rs`, what a successor finds; `exec.rs`.

mod bundle;
mod exec;
mod parcel;
mod passage;

pub use bundle::{Broken, FORM};
pub use exec::{Program, Received, await_signals, received, thread_awaits_signals};
pub use parcel::{Descriptor, Parcel, Unpacked};
pub use passage::{Guest, Part, Passage, Phase};

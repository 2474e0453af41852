//! Recordings as a node makes them: a process for each, which joins like a client, and its files once it is done.
//! Owns the jobs and their folders. What may be recorded the session decides; what is told of it the store keeps.
//! Invariant: a process that dies, hangs or outlives the server costs a part of a recording at most: what is in the folder
//! counts, whoever wrote it.
//! Next: `job.rs`, one recording from start to end; `process.rs`, the edge to the process; `keep.rs`, where files go.

mod desk;
mod handle;
mod job;
mod keep;
mod parts;
mod process;
mod stops;
mod sweep;

pub use desk::{Parts, Settings, Wish, can};
pub use handle::{Failed, Recordings};
pub use keep::{folder_of, parts_of};
pub use parts::again;
pub use process::{Heard, Process, find_program, has_library};
pub use stops::Stops;

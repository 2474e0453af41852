//! Recordings as a node makes them: a process for each, which joins like a client, and its files once it is done.
//! Owns the jobs and their folders. What may be recorded the session decides; what is told of it the store keeps.
//! Invariant: a process that dies, hangs or outlives the server costs a part of a recording at most: what is in the folder
//! counts, whoever wrote it.
//! Next: `course.rs`, a job from start to end, with `job.rs` and `livestream_job.rs`; `process.rs`, the edge to the process.

mod arrivals;
mod course;
mod desk;
mod handle;
mod ingest_door;
mod ingest_job;
mod job;
mod keep;
mod left;
mod livestream_job;
mod livestreams;
mod parts;
mod process;
mod reasons;
mod segments;
mod stops;
mod stranded;
mod streams;
mod sweep;
mod viewers;
mod waiting;
mod workers;

pub use desk::{Failed, Fetch, Fetched, Judge, Parts, Pass, Settings, Wish, can};
pub use handle::Recordings;
pub use ingest_door::serve as take_streams;
pub use keep::{folder_of, parts_of};
pub use livestreams::Livestreams;
pub use parts::again;
pub use process::{Heard, Process, find_program, has_library};
pub use reasons::not_streamed;
pub use salon_recorder::SEGMENT_SECS;
pub use segments::{Segment, Segments};
pub use stops::Stops;
pub use streams::{Content, Stream, Streams};
pub use workers::{records, watch as watch_workers};

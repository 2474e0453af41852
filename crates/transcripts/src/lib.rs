//! What people say, written down: a robot for each session that hears them, an engine of the operator's that writes, and what a
//! transcript comes to. Owns the robots' folders, which are the queues of what is to be written.
//! Invariant: what was heard is written down sooner or later, whoever dies meanwhile, or it is counted and said that it is not.
//! Next: `listening.rs`, one session from start to end; `engine.rs`, who writes; `summaries.rs`.

mod command;
mod desk;
mod enabled;
mod engine;
mod figures;
mod handle;
mod http;
mod listening;
mod pieces;
mod sound;
mod summaries;

pub use desk::{Parts, Settings};
pub use engine::{Engine, is_missing};
pub use figures::Figures;
pub use handle::Transcripts;
pub use http::Service;

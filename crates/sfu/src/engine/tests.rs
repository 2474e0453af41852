//! The engine as clients see it: str0m clients and an `Engine` joined by a virtual clock and a lossy line.
//! Time is advanced, never slept. `bench.rs` is the bench, the other files are scenarios.

mod anew;
mod bench;
mod codecs;
mod consent;
mod consuming;
mod hostile;
mod lines;
mod panics;
mod publishing;
mod quality;
mod replays;
mod reports;
mod resuming;
mod tcp;
mod threads;

//! One recording, in a process of its own: `salon recorder`, which is told a job and says how it goes.
//! Reading order: `job` (what is said between the server and a recorder), `run` (its life), `robot` and `receiver` (where
//! news come from), `news`, `tracks` (a file for each voice) with `clock`, `order` and `webm`, `voices` (pieces of each) with
//! `cutter`, `composite` (one picture and sound) with `frames`, `decoder`, `scene`, `layout`, `canvas`, `mixer`, `encoder`, `finish`, `cuts`, `rtmp`; `ingest`.
//! Invariant: what strangers send is parsed here, and never in a server.

/// Says something in the log. Where that cannot be written, as on a full disk, the recording goes on: `eprintln!` would panic.
macro_rules! complain {
    ($($said:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($said)*);
    }};
}

mod avcodec;
mod boxes;
mod canvas;
mod clock;
mod composite;
mod cuts;
mod cutter;
mod decoder;
mod encoder;
mod finish;
mod frames;
mod ingest;
pub mod job;
mod layout;
mod mixer;
mod news;
mod opus;
mod order;
mod picture;
mod receiver;
mod robot;
pub mod rtmp;
mod run;
mod said;
mod scene;
mod timing;
mod tracks;
pub mod voices;
mod vpx;
mod webm;
mod wishes;

pub use encoder::{BITS_PER_SECOND, SEGMENT_SECS};
pub use rtmp::{Address, NoAddress};
pub use run::{HELP, Mistake, RecorderArgs, record};

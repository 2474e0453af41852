//! The process around a command: its threads, and its answer on standard output.

use std::io::{self, Write};

use anyhow::Context;
use tokio::runtime::Runtime;

/// More threads than this only get in each other's way: media has its own, and a session is one task.
const MAX_WORKERS: usize = 8;

pub(super) fn runtime() -> anyhow::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(MAX_WORKERS))
        .thread_name("salon")
        .on_thread_start(salon_handover::thread_awaits_signals)
        .on_thread_unpark(salon_handover::thread_awaits_signals)
        .enable_all()
        .build()
        .context("the threads cannot be started")
}

/// Writes an answer. A reader that has gone, as in `salon check-config | head`, is no failure.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => Err(err).context("the answer cannot be written"),
        _ => Ok(()),
    }
}

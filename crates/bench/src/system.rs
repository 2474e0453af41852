//! What is asked of the system for a load.

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// Lets this process, and those it starts, open as many files as the system allows: a client needs two.
pub fn allow_many_files() -> u64 {
    let most = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Asks a process of ours to end; one that was not waited for, so that the number is still its own.
pub fn ask_to_end(process: u32) {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(process, Signal::TERM);
    }
}

/// Clock ticks a second, the unit of CPU time in `/proc`.
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

/// Returns when this process is asked to end (SIGTERM): what it started is to end with it.
pub async fn asked_to_end() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut asked) => _ = asked.recv().await,
        Err(_) => std::future::pending().await,
    }
}

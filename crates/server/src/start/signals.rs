//! How the system tells a process to stop, or to become its successor.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the process is told. Made before anything else: until then a signal ends it.
pub struct Signals {
    stops: Vec<Signal>,
    upgrade: Signal,
}

impl Signals {
    /// # Errors
    /// The system does not let signals be heard.
    pub fn listen() -> io::Result<Self> {
        let stops = [SignalKind::terminate(), SignalKind::interrupt()].into_iter().map(signal).collect::<io::Result<_>>()?;
        Ok(Self { stops, upgrade: signal(SignalKind::user_defined2())? })
    }

    /// The next thing it is told.
    pub async fn next(&mut self) -> Wanted {
        let Self { stops, upgrade } = self;
        let stop = futures_util::future::select_all(stops.iter_mut().map(|stop| Box::pin(stop.recv())));
        tokio::select! {
            biased;
            _ = stop => Wanted::Stop,
            _ = upgrade.recv() => Wanted::Upgrade,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGUSR2.
    Upgrade,
}

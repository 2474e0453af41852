//! What is known of one connection: what it does, since when, and whether it is to close.
//! Invariant: reading it takes no lock; the crowd alone writes its phase.
//! Next: `stream.rs`, which notes what goes over it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long somebody may take.
#[derive(Clone, Debug)]
pub struct Patience {
    /// For the head of a request, from its first byte on, and for that byte on a new connection.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Without taking a byte of what there is to send.
    pub stalled: Duration,
}

/// What a connection does, the sooner to go the earlier here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The head of a request is not there yet.
    Head,
    /// Between two requests.
    Idle,
    /// The body of a request is on its way.
    Sending,
    /// A request is being answered; or this is a websocket.
    Busy,
}

impl Phase {
    /// Nothing is done for it.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Head | Self::Idle)
    }

    pub fn is_sending(self) -> bool {
        self == Self::Sending
    }
}

#[derive(Debug)]
pub(crate) struct Line {
    pub id: u64,
    /// Cancelled when it is to close at once.
    pub close: CancellationToken,
    phase: AtomicU8,
    opened: Instant,
    // In milliseconds since then.
    /// When the phase began.
    since: AtomicU64,
    /// When something came.
    heard: AtomicU64,
    /// Since when the other side takes nothing, and one more; 0 if it does.
    stalled: AtomicU64,
}

impl Line {
    pub fn new(id: u64, now: Instant) -> Self {
        Self {
            id,
            close: CancellationToken::new(),
            phase: AtomicU8::new(Phase::Head as u8),
            opened: now,
            since: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
        }
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Head,
            1 => Phase::Idle,
            2 => Phase::Sending,
            _ => Phase::Busy,
        }
    }

    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.since.store(self.ms(), Relaxed);
    }

    /// When something came last.
    pub fn silent_since(&self) -> Instant {
        self.opened + Duration::from_millis(self.heard.load(Relaxed))
    }

    /// Whether nothing ever came.
    pub fn is_unheard(&self) -> bool {
        self.heard.load(Relaxed) == 0
    }

    /// Something came. The first byte after an answer begins the next request.
    pub fn hears(&self) {
        self.heard.store(self.ms().max(1), Relaxed);
        if self.phase() == Phase::Idle {
            // Both wait, so the crowd's counts stay as they are.
            self.set_phase(Phase::Head);
        }
    }

    /// The other side took something, or there is more than it takes.
    pub fn takes(&self, takes: bool) {
        let stalled = self.stalled.load(Relaxed);
        if takes && self.phase() == Phase::Idle {
            // The rest of an answer.
            self.since.store(self.ms(), Relaxed);
        }
        if takes && stalled != 0 {
            self.stalled.store(0, Relaxed);
        } else if !takes && stalled == 0 {
            self.stalled.store(self.ms() + 1, Relaxed);
        }
    }

    /// When its time is over, if it goes on like this.
    pub fn deadline(&self, patience: &Patience) -> Option<Instant> {
        let at = |ms: u64| self.opened + Duration::from_millis(ms);
        let since = at(self.since.load(Relaxed));
        let phase = match self.phase() {
            Phase::Head => Some(since + patience.head),
            Phase::Idle => Some(since + patience.idle),
            Phase::Sending | Phase::Busy => None,
        };
        let stalled = self.stalled.load(Relaxed).checked_sub(1).map(|ms| at(ms) + patience.stalled);
        [phase, stalled].into_iter().flatten().min()
    }

    fn ms(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }
}

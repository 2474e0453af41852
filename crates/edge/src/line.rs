//! What is known of one connection: what it does, since when, and whether it is to close.
//! Invariant: reading its phase takes no lock; the crowd alone writes it.
//! Next: `stream.rs`, which notes what goes over it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a connection keeps ready for the next head.
const KEPT_BYTES: usize = 2_048;

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
    /// What came of a request that is not there yet.
    head: Mutex<Vec<u8>>,
    /// Something came before it was its turn: a part of the next request is known to nobody but whoever reads requests.
    ahead: AtomicBool,
    /// What is answered has no end.
    endless: AtomicBool,
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
            head: Mutex::default(),
            ahead: AtomicBool::new(false),
            endless: AtomicBool::new(false),
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
    pub fn hears(&self, bytes: &[u8]) {
        self.heard.store(self.ms().max(1), Relaxed);
        match self.phase() {
            Phase::Head => {}
            // Both wait, so the crowd's counts stay as they are.
            Phase::Idle => self.set_phase(Phase::Head),
            Phase::Sending => return,
            Phase::Busy => return self.ahead.store(true, Relaxed),
        }
        self.head().extend_from_slice(bytes);
    }

    /// A whole head has come; `alone` if its request has no body.
    pub fn has_head(&self, alone: bool) {
        let mut head = self.head();
        let end = head.windows(4).position(|end| end == b"\r\n\r\n").map_or(head.len(), |at| at + 4);
        if alone && end < head.len() {
            self.ahead.store(true, Relaxed);
        }
        // A usual one finds its place ready next time.
        head.clear();
        head.shrink_to(KEPT_BYTES);
    }

    /// It cannot go on in another process, nor be waited for.
    pub fn is_cut_off(&self) -> bool {
        self.endless.load(Relaxed) || self.ahead.load(Relaxed)
    }

    pub fn has_no_end(&self) {
        self.endless.store(true, Relaxed);
    }

    /// What has come of the next request, if that is all that is under way and nothing waits to be written.
    pub fn rests(&self) -> Option<Vec<u8>> {
        let rests = self.phase().is_waiting() && self.stalled.load(Relaxed) == 0 && !self.ahead.load(Relaxed);
        rests.then(|| self.head().clone())
    }

    fn head(&self) -> MutexGuard<'_, Vec<u8>> {
        self.head.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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

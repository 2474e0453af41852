//! Whether the media threads are alive: what they note of themselves, and what others may know of it.
//! Invariant: a thread that does its work notes it at least as often as it keeps house.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::limits::STUCK_AFTER;

/// How the media threads are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How many were started.
    pub threads: usize,
    /// Those that have ended although nobody told them to: what they could carry is missing until the process is started
    /// anew.
    pub ended: usize,
    /// Those that have not turned for long, as they wait for something or run in a circle.
    pub stuck: usize,
    /// How often a bug of ours ended all transports of a thread, which then went on.
    pub restarts: u64,
}

impl Health {
    /// Whether media can be relied on.
    pub fn is_good(&self) -> bool {
        self.ended == 0 && self.stuck == 0
    }
}

/// What one thread notes.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    /// When it last turned, in milliseconds from then on.
    turned: AtomicU64,
    ended: AtomicBool,
    stopped: AtomicBool,
    restarts: AtomicU64,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            turned: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            restarts: AtomicU64::new(0),
        }
    }

    pub(super) fn turned(&self, now: Instant) {
        self.turned.store(now.saturating_duration_since(self.began).as_millis() as u64, Relaxed);
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    /// It was told to end.
    pub(super) fn stopped(&self) {
        self.stopped.store(true, Relaxed);
    }

    /// It ended by itself.
    pub(super) fn ended(&self) {
        self.ended.store(true, Relaxed);
    }

    /// Adds what is known of this thread.
    pub(super) fn describe(&self, now: Instant, health: &mut Health) {
        let silent = now.saturating_duration_since(self.began + Duration::from_millis(self.turned.load(Relaxed)));
        let (ended, stopped) = (self.ended.load(Relaxed), self.stopped.load(Relaxed));
        health.threads += 1;
        health.ended += usize::from(ended);
        health.stuck += usize::from(!ended && !stopped && silent > STUCK_AFTER);
        health.restarts += self.restarts.load(Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_stuck_when_it_has_not_turned_for_long_and_was_not_stopped() {
        let start = Instant::now();
        let pulse = Pulse::new(start);
        let health = |pulse: &Pulse, now| {
            let mut health = Health::default();
            pulse.describe(now, &mut health);
            health
        };
        pulse.turned(start + STUCK_AFTER);
        assert!(health(&pulse, start + STUCK_AFTER * 2).is_good());
        assert_eq!(health(&pulse, start + STUCK_AFTER * 3).stuck, 1);
        pulse.restarted();
        pulse.stopped();
        assert_eq!(health(&pulse, start + STUCK_AFTER * 3), Health { threads: 1, restarts: 1, ..Health::default() });
        pulse.ended();
        assert!(!health(&pulse, start).is_good());
    }
}

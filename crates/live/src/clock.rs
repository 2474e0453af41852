//! The one clock of a node: wall-clock milliseconds that never run backwards while it runs.
//! Anchored to the wall at the start and moved by a clock that nobody sets; `keeper.rs` moves the anchor forwards when the
//! wall has run ahead, after the machine slept or learned the time late.
//! Invariant: no stored moment decides what time it is. Next: `hub.rs` gives its moments to sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use salon_core::Timestamp;

/// A difference from the wall that is no matter of drift: about this much is put right without a word.
const SLACK_MS: i64 = 2_000;

/// A leap of the wall by more than this is an outage of the node: nobody can say who was here meanwhile.
pub(crate) const OUTAGE_MS: i64 = 60_000;

/// Tells the time; clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
    /// What the wall showed at the start, as far as this node has it.
    wall_at_start: Arc<AtomicI64>,
}

/// A moment by the node's clock and by the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    pub since_boot: SinceBoot,
}

/// How this node's clock stands to the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    None,
    /// The wall is ahead by so much: the anchor may follow it.
    Behind(i64),
    /// The wall is so much more than a minute behind, and is not followed.
    Ahead(i64),
}

impl Clock {
    /// Anchors at the present.
    pub fn start() -> Self {
        Self::at(wall())
    }

    /// Goes on with the clock of another process of this machine since it last started.
    pub fn go_on(Moment { at, since_boot }: Moment) -> Self {
        // A machine that slept meanwhile, or another: there is no telling.
        match SinceBoot::now().0 - since_boot.0 {
            passed @ 0..OUTAGE_MS => Self::at(at.0 + passed),
            _ => Self::start(),
        }
    }

    /// The present, for another process.
    pub fn moment(&self) -> Moment {
        Moment { at: self.now(), since_boot: SinceBoot::now() }
    }

    fn at(wall: i64) -> Self {
        Self { start: Instant::now(), wall_at_start: Arc::new(AtomicI64::new(wall)) }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.wall_at_start.load(Ordering::Relaxed) + self.start.elapsed().as_millis() as i64)
    }

    /// The monotonic moment of a timestamp, for timers.
    pub fn instant(&self, at: Timestamp) -> Instant {
        Instant::now() + Duration::from_millis(at.since(self.now()) as u64)
    }

    pub(crate) fn drift(&self) -> Drift {
        Drift::between(self.now().0, wall())
    }

    /// Moves the anchor forwards.
    pub(crate) fn leap(&self, ms: i64) {
        self.wall_at_start.fetch_add(ms.max(0), Ordering::Relaxed);
    }
}

impl Drift {
    fn between(clock: i64, wall: i64) -> Self {
        match wall - clock {
            behind if behind > SLACK_MS => Self::Behind(behind),
            ahead if ahead < -OUTAGE_MS => Self::Ahead(-ahead),
            _ => Self::None,
        }
    }
}

/// The machine's life, its sleep included: what other nodes and their clocks go by while this one sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SinceBoot(pub i64);

impl SinceBoot {
    pub fn now() -> Self {
        let at = clock_gettime(ClockId::Boottime);
        Self(at.tv_sec * 1_000 + at.tv_nsec / 1_000_000)
    }
}

/// What the system takes for the time.
fn wall() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_that_has_run_ahead_is_followed_and_one_that_has_not_is_not() {
        assert_eq!(Drift::between(1_000_000, 1_001_999), Drift::None);
        assert_eq!(Drift::between(1_000_000, 1_002_001), Drift::Behind(2_001));
        assert_eq!(Drift::between(1_000_000, 1_000_000 - 60_000), Drift::None);
        assert_eq!(Drift::between(1_000_000, 1_000_000 - 60_001), Drift::Ahead(60_001));
    }

    #[test]
    fn another_process_goes_on_with_the_clock_and_not_with_the_wall() {
        let slow = Clock::at(wall() - 1_500);
        let before = slow.now();
        let after = Clock::go_on(slow.moment()).now();
        assert!((0..1_000).contains(&after.since(before)), "{before:?} {after:?}");
        let long_ago = Moment { at: Timestamp(5), since_boot: SinceBoot(SinceBoot::now().0 - 3_600_000) };
        assert_eq!(Clock::go_on(long_ago).drift(), Drift::None);
    }

    /// A boot before the time is known: the year is wrong until it is, and right from then on, without a restart.
    #[test]
    fn a_clock_that_started_years_too_early_finds_the_present() {
        let clock = Clock::at(1_000_000_000_000);
        let before = clock.now();
        let Drift::Behind(by) = clock.drift() else { panic!("it is years behind") };
        clock.leap(by);
        assert_eq!(clock.drift(), Drift::None);
        assert!(clock.now() > before);
        clock.leap(-5_000);
        assert_eq!(clock.drift(), Drift::None, "never backwards");
    }
}

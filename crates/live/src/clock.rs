//! The one clock of a node: milliseconds since 1970 that never run backwards while it runs.
//! Anchored to the wall at the start, or where nodes share a database to the clock of that, so that a moment is the same at all of
//! them; moved by a clock that nobody sets. `keeper.rs` moves the anchor forwards when what it follows has run ahead, after the
//! machine slept or learned the time late.
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
    /// What time it was at the start, as far as this node has it.
    at_start: Arc<AtomicI64>,
    /// By how much the database's clock is ahead of the machine's life, which nobody sets; `WALL` where the wall is followed.
    followed: Arc<AtomicI64>,
}

const WALL: i64 = i64::MIN;

/// An answer about the time that took longer to come says too little, once another is known.
const ASKED_WITHIN: Duration = Duration::from_secs(2);

/// A moment by the node's clock and by the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    pub since_boot: SinceBoot,
}

/// How this node's clock stands to what it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    None,
    /// What it follows is ahead by so much: the anchor may follow it.
    Behind(i64),
    /// What it follows is so much more than a minute behind, and is not followed.
    Ahead(i64),
}

impl Clock {
    /// Anchors at the present.
    pub fn start() -> Self {
        Self::at(wall())
    }

    /// Begins with the time of a database, which was asked for it for so long.
    pub fn start_by(time: Timestamp, asked_for: Duration) -> Self {
        let clock = Self::start();
        let ahead_ms = clock.follow(time, asked_for);
        clock.at_start.fetch_sub(ahead_ms, Ordering::Relaxed);
        clock
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

    /// Follows the clock of a database from now on, which was asked for so long. Answers by how much the machine's wall is ahead of
    /// that.
    pub fn follow(&self, time: Timestamp, asked_for: Duration) -> i64 {
        let time = time.0 + asked_for.as_millis() as i64 / 2;
        if asked_for <= ASKED_WITHIN || self.followed.load(Ordering::Relaxed) == WALL {
            self.followed.store(time - SinceBoot::now().0, Ordering::Relaxed);
        }
        wall() - time
    }

    fn at(time: i64) -> Self {
        Self { start: Instant::now(), at_start: Arc::new(AtomicI64::new(time)), followed: Arc::new(AtomicI64::new(WALL)) }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.at_start.load(Ordering::Relaxed) + self.start.elapsed().as_millis() as i64)
    }

    /// The monotonic moment of a timestamp, for timers.
    pub fn instant(&self, at: Timestamp) -> Instant {
        Instant::now() + Duration::from_millis(at.since(self.now()) as u64)
    }

    pub(crate) fn drift(&self) -> Drift {
        let followed = match self.followed.load(Ordering::Relaxed) {
            WALL => wall(),
            ahead => SinceBoot::now().0 + ahead,
        };
        Drift::between(self.now().0, followed)
    }

    /// Moves the anchor forwards.
    pub(crate) fn leap(&self, ms: i64) {
        self.at_start.fetch_add(ms.max(0), Ordering::Relaxed);
    }
}

impl Drift {
    fn between(clock: i64, followed: i64) -> Self {
        match followed - clock {
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

    #[test]
    fn nodes_of_one_database_tell_its_time_whatever_their_walls_show() {
        let time = Timestamp(wall() - 90_000);
        let clock = Clock::start_by(time, Duration::from_millis(20));
        assert!((10..1_000).contains(&clock.now().since(time)));
        assert_eq!(clock.drift(), Drift::None, "the wall is 90 s ahead, and is not followed");
        // The database has another machine.
        let ahead_ms = clock.follow(time.plus_ms(30_000), Duration::ZERO);
        assert!((59_000..=60_000).contains(&ahead_ms), "{ahead_ms}");
        let Drift::Behind(by) = clock.drift() else { panic!("it is half a minute behind") };
        assert!((29_000..=30_000).contains(&by), "{by}");
        clock.leap(by);
        assert_eq!(clock.drift(), Drift::None);
        clock.follow(time.plus_ms(500_000), Duration::from_secs(60));
        assert_eq!(clock.drift(), Drift::None, "an answer that took a minute");
    }

    #[test]
    fn a_database_that_answers_slowly_at_the_start_is_followed_all_the_same() {
        let clock = Clock::start_by(Timestamp(wall() - 90_000), Duration::from_secs(5));
        assert_eq!(clock.drift(), Drift::None, "the wall is not followed");
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

//! When packets would have come had nothing held them up: the sender's clock on ours, as far apart as the quickest of late has
//! shown. What leaves a sender together has one moment then, whatever its way through the network was.
//! Pure arithmetic; knows no packets.
//! Next: `forwarding.rs` dates packets by it, and `egress.rs` writes reports from that.

use std::time::{Duration, Instant};

/// The quickest is looked for over this time at least, and twice that at most. Higher is steadier; lower follows a clock that
/// runs fast or slow, or another way through the network, sooner.
const OVER: Duration = Duration::from_secs(10);

/// Held up for longer than this, in microseconds, is another clock, or the same after somebody set it.
const JUMP: u64 = 3_000_000;

/// One sender's clock.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    began: Option<Instant>,
    window: Option<Window>,
}

/// The shortest ways, in microseconds, with an unknown offset.
#[derive(Debug)]
struct Window {
    since: Instant,
    now: i64,
    before: i64,
}

impl Moments {
    /// When what came now and was sent at `sent` microseconds of the sender's clock would have come. Never after `at`.
    pub(crate) fn of(&mut self, at: Instant, sent: i64) -> Instant {
        let began = *self.began.get_or_insert(at);
        let way = (at.saturating_duration_since(began).as_micros() as i64).wrapping_sub(sent);
        let window = self.window.get_or_insert(Window { since: at, now: way, before: way });
        if way.wrapping_sub(window.now.min(window.before)).unsigned_abs() > JUMP {
            *window = Window { since: at, now: way, before: way };
        } else if at.saturating_duration_since(window.since) > OVER {
            *window = Window { since: at, now: way, before: window.now };
        }
        window.now = window.now.min(way);
        let held_up = way.wrapping_sub(window.now.min(window.before));
        at.checked_sub(Duration::from_micros(held_up.unsigned_abs())).unwrap_or(at)
    }
}

/// What moments go by changes this many microseconds a second at most: browsers follow, and nobody hears or sees it.
const SLOWLY: u64 = 20_000;

/// On the way from one clock to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settling {
    since: Instant,
    /// How much later the old clock was, in microseconds.
    later: i64,
}

impl Settling {
    /// What came now has these moments by the two clocks.
    pub(crate) fn new(at: Instant, old: Instant, new: Instant) -> Self {
        let micros = |time: Duration| time.as_micros() as i64;
        let later = micros(old.saturating_duration_since(new)) - micros(new.saturating_duration_since(old));
        Self { since: at, later }
    }

    /// The moment of what comes now, if the new clock says `new`.
    pub(crate) fn of(self, at: Instant, new: Instant) -> Instant {
        let gone = at.saturating_duration_since(self.since).as_micros() as u64 * SLOWLY / 1_000_000;
        let left = Duration::from_micros(self.later.unsigned_abs().saturating_sub(gone));
        match self.later > 0 {
            true => new + left,
            false => new.checked_sub(left).unwrap_or(new),
        }
    }
}

/// Ticks of a clock in microseconds.
pub(crate) fn micros(ticks: i32, clock_rate: u32) -> i64 {
    i64::from(ticks) * 1_000_000 / i64::from(clock_rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_up_counts_from_when_it_should_have_come() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut moments = Moments::default();
        // Sent each 20 ms, with a way of 30 ms at least.
        let mut came = |sent: u64, held: u64| moments.of(at(sent + 30 + held), 77_000_000 + sent as i64 * 1_000);
        assert_eq!(came(0, 5), at(35), "nothing is known of the way");
        assert_eq!(came(20, 0), at(50));
        assert_eq!(came(40, 60), at(70));
        assert_eq!(came(60, 1), at(90));
        // The way becomes longer for good: known when the shorter one is long ago.
        let last = (70..1_200).map(|n| came(n * 20, 15)).last();
        assert_eq!(last, Some(at(1_199 * 20 + 45)));
    }

    #[test]
    fn one_clock_gives_way_to_another_slowly() {
        let start = Instant::now() + Duration::from_secs(10);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let later = Settling::new(at(0), at(50), at(10));
        assert_eq!([0, 1_000, 2_000, 3_000].map(|ms| later.of(at(ms), at(ms))), [at(40), at(1_020), at(2_000), at(3_000)]);
        let earlier = Settling::new(at(0), at(0), at(30));
        assert_eq!([1_000, 2_000].map(|ms| earlier.of(at(ms), at(ms))), [at(990), at(2_000)]);
    }

    #[test]
    fn a_clock_that_was_set_begins_anew() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut moments = Moments::default();
        for sent in [0, 3_600_000_000, i64::MIN, -5] {
            assert_eq!(moments.of(at(10), sent), at(10));
        }
        assert_eq!(moments.of(at(20), -5), at(10));
    }
}

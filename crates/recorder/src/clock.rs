//! When a stream's packets were made, on the wall clock that all streams of a meeting share.
//! The server's reports tell what each stream's clock shows at a moment; until the first one, arrival has to do.
//! Pure: times come in. Microseconds since 1970 throughout. Next: `order.rs`, which packet is next.

/// A stream that comes later than its clock says by more than this has a clock that stood still: browsers may stop a
/// microphone's clock while it is off. Delays of this length are rare.
const JUMP: i64 = 3_000_000;

/// So does one that comes later by more than this, and steadily: after a delay packets catch up.
const STEP: i64 = 60_000;
/// Steady is what differs by less than this from one packet to the next, for so many.
const STEADY: i64 = 8_000;
const STEADY_FOR: u32 = 4;

/// Nothing comes before it is made; our clock and the server's may differ by this much.
const BEFORE: i64 = -300_000;

/// Reports by which a packet took longer than this to come are not believed: servers take a clock that stood still for a
/// delay, too. Lower takes delays for that.
const LONGEST_WAY: i64 = 200_000;

/// A clock, as far as it is known.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Ticks a second.
    rate: i64,
    tolerance: i64,
    /// The newest tick, with roll-overs.
    newest: Option<i64>,
    /// The wall clock at tick 0.
    offset: Option<i64>,
    /// The offset is by a report.
    reported: bool,
    /// How much later than they were made packets come.
    lag: Option<i64>,
    /// The wall clock at tick 0 as if the newest packet had taken no time to come.
    came: Option<i64>,
    /// How many packets in a row were steadily late, and how late the last one was.
    steady: (u32, i64),
}

impl Clock {
    /// A clock of so many ticks a second. Reports that differ by no more than `tolerance` leave it alone.
    pub fn new(rate: i64, tolerance: i64) -> Self {
        Self { rate, tolerance, newest: None, offset: None, reported: false, lag: None, came: None, steady: (0, 0) }
    }

    /// When a packet with this timestamp was made, which came at `arrived`.
    pub fn at(&mut self, timestamp: u32, arrived: i64) -> i64 {
        let made = self.ticks(timestamp);
        self.came = Some(arrived - made);
        let Some(offset) = self.offset else {
            self.offset = Some(arrived - made);
            return arrived;
        };
        let lag = arrived - (made + offset);
        let usual = *self.lag.get_or_insert(lag);
        let (count, before) = self.steady;
        let is_steady = lag - usual > STEP && (count == 0 || (lag - before).abs() < STEADY);
        self.steady = (if is_steady { count + 1 } else { 0 }, lag);
        if lag - usual > JUMP || lag < BEFORE || self.steady.0 >= STEADY_FOR {
            let usual = usual.max(0);
            self.offset = Some(offset + lag - usual);
            (self.reported, self.lag, self.steady) = (false, Some(usual), (0, 0));
            return arrived - usual;
        }
        // The quickest are right; slower ones raise it slowly, as a clock that runs fast would.
        self.lag = Some(lag.min(usual + 100));
        made + offset
    }

    /// Hears that the stream's clock shows `timestamp` at this moment.
    pub fn report(&mut self, timestamp: u32, moment: i64) {
        let told = moment - self.ticks(timestamp);
        if self.came.is_some_and(|came| (came - told).abs() > LONGEST_WAY) {
            return;
        }
        let moves = self.offset.is_none_or(|offset| !self.reported || (told - offset).abs() > self.tolerance);
        if moves {
            self.offset = Some(told);
            self.reported = true;
            self.lag = None;
        }
    }

    /// Microseconds of the stream's own clock.
    fn ticks(&mut self, timestamp: u32) -> i64 {
        let newest = self.newest.unwrap_or(i64::from(timestamp));
        let ticks = newest + i64::from(timestamp.wrapping_sub(newest as u32) as i32);
        self.newest = Some(newest.max(ticks));
        // A day of ticks at 90 kHz has 33 bits, and a million 20 more.
        ticks * 1_000_000 / self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000_000;

    #[test]
    fn times_follow_the_streams_clock_and_not_the_arrival() {
        let mut clock = Clock::new(48_000, 20_000);
        assert_eq!(clock.at(u32::MAX - 959, NOW), NOW);
        assert_eq!(clock.at(0, NOW + 50_000), NOW + 20_000, "over the end of 32 bits");
        assert_eq!(clock.at(960, NOW + 41_000), NOW + 40_000);
    }

    #[test]
    fn a_report_moves_pictures_at_once_and_sound_when_it_matters() {
        for (mut clock, rate, moved) in [(Clock::new(48_000, 20_000), 48, 0), (Clock::new(90_000, 0), 90, 7_000)] {
            clock.at(0, NOW);
            clock.report(0, NOW - 30_000);
            assert_eq!(clock.at(20 * rate, NOW + 20_000), NOW - 10_000, "the first report counts");
            clock.report(40 * rate, NOW + 10_000 + 7_000);
            assert_eq!(clock.at(40 * rate, NOW + 40_000), NOW + 10_000 + moved);
            clock.report(60 * rate, NOW + 30_000 + 21_000);
            assert_eq!(clock.at(60 * rate, NOW + 60_000), NOW + 51_000);
        }
    }

    #[test]
    fn a_delay_is_caught_up_and_a_clock_that_stood_still_for_a_moment_is_not() {
        let mut clock = Clock::new(48_000, 20_000);
        let mut at = |n: u32, late: i64| clock.at(n * 960, NOW + i64::from(n) * 20_000 + late) - NOW - i64::from(n) * 20_000;
        (0..10).for_each(|n| assert_eq!(at(n, 1_000), 1_000));
        // Half a second of nothing, then all of it at once.
        (10..35).for_each(|n| assert_eq!(at(n, i64::from(35 - n) * 20_000), 1_000));
        (35..50).for_each(|n| assert_eq!(at(n, 2_000), 1_000));
        // Off for 300 ms: what comes then comes as it is said.
        let after: Vec<i64> = (50..60).map(|n| at(n, 301_000)).collect();
        assert_eq!(after[..3], [1_000; 3]);
        assert!(after[3..].iter().all(|late| (299_000..302_000).contains(late)), "{after:?}");
    }

    #[test]
    fn a_clock_that_stood_still_is_set_by_arrival_until_the_next_report() {
        let mut clock = Clock::new(48_000, 20_000);
        clock.at(0, NOW);
        clock.report(0, NOW - 5_000);
        clock.at(960, NOW + 20_000);
        assert_eq!(clock.at(1_920, NOW + 60_000_000), NOW + 60_000_000 - 5_000);
        assert_eq!(clock.at(2_880, NOW + 60_030_000), NOW + 60_020_000 - 5_000);
        clock.report(2_880, NOW + 60_012_000);
        assert_eq!(clock.at(2_880, NOW + 60_030_000), NOW + 60_012_000);
        clock.report(3_840 + 73_000, NOW + 60_050_000);
        assert_eq!(clock.at(3_840, NOW + 60_050_000), NOW + 60_032_000, "it says that packets come a second and a half late");
    }
}

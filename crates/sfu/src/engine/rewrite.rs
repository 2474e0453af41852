//! Sequence numbers and timestamps as one consumer sees them: continuous over layer switches, pauses and drops.
//! Pure arithmetic on extended sequence numbers; knows no packets, rooms or clocks.
//! Invariant: two different incoming packets never get the same outgoing number.
//! Next: `payload/pictures.rs` does the same for picture ids.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::moments::micros;

/// How many drops are remembered, so that packets that arrive late still get the number they would have had.
/// Older ones are dropped: they are beyond any receiver's interest.
const SEGMENTS: usize = 32;

/// Maps incoming extended sequence numbers to outgoing ones.
#[derive(Debug)]
pub(crate) struct Sequence {
    /// From an incoming number on, add this much. Ordered by `from`.
    segments: VecDeque<Segment>,
    highest_in: u64,
    /// The highest number given out, or one below the first to give.
    highest_out: u64,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    from: u64,
    offset: i64,
}

impl Sequence {
    /// `first` is the first number to go out. It must be below 65,536: a new receiver assumes rollover counter 0
    /// (RFC 3711 section 3.3.1).
    pub(crate) fn new(first: u16) -> Self {
        Self { segments: VecDeque::new(), highest_in: 0, highest_out: u64::from(first.max(1)) - 1 }
    }

    /// Goes on after a number that another process gave out.
    pub(crate) fn after(highest_out: u64) -> Self {
        Self { segments: VecDeque::new(), highest_in: 0, highest_out }
    }

    /// The highest number given out, or one below the first to give.
    pub(crate) fn highest(&self) -> u64 {
        self.highest_out
    }

    /// From here on numbers come from another place: another layer, or the same after a pause. The packet
    /// `first_in` follows the last one that went out; everything before it is forgotten.
    pub(crate) fn switch(&mut self, first_in: u64) {
        self.segments.clear();
        self.segments.push_back(Segment { from: first_in, offset: (self.highest_out + 1) as i64 - first_in as i64 });
        self.highest_in = first_in.saturating_sub(1);
    }

    /// The outgoing number, or None for a packet from before the last switch.
    pub(crate) fn map(&mut self, incoming: u64) -> Option<u64> {
        let segment = self.segments.iter().rev().find(|s| s.from <= incoming)?;
        let out = incoming.checked_add_signed(segment.offset)?;
        self.highest_in = self.highest_in.max(incoming);
        self.highest_out = self.highest_out.max(out);
        Some(out)
    }

    /// Whether no later packet came by here yet.
    pub(crate) fn is_newest(&self, incoming: u64) -> bool {
        incoming > self.highest_in
    }

    /// Leaves out a packet without a gap. False if later packets went out already: then the gap exists, and only
    /// an empty packet with this number can keep the receiver from asking for it.
    pub(crate) fn skip(&mut self, incoming: u64) -> bool {
        let Some(last) = self.segments.back() else { return true };
        if incoming <= self.highest_in {
            return false;
        }
        let next = Segment { from: incoming + 1, offset: last.offset - 1 };
        self.highest_in = incoming;
        // A run of drops is one segment.
        match self.segments.back_mut() {
            Some(last) if last.from == incoming => *last = next,
            _ => self.segments.push_back(next),
        }
        let offset = next.offset;
        if self.segments.len() > SEGMENTS {
            self.segments.pop_front();
        }
        // Numbers between the last one and this may still come; the highest possible of them is now taken.
        if let Some(out) = incoming.checked_add_signed(offset) {
            self.highest_out = self.highest_out.max(out);
        }
        true
    }
}

/// The last sender report of a layer: this RTP time was that wall clock time, at the sender.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Report {
    pub at: SystemTime,
    pub rtp: u32,
}

impl Report {
    /// What the sender's wall clock showed at an RTP time, in microseconds since 1970.
    pub(crate) fn wall_at(&self, rtp: u32, clock_rate: u32) -> i64 {
        let wall = self.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
        wall.saturating_add(micros(rtp.wrapping_sub(self.rtp) as i32, clock_rate))
    }
}

/// Maps incoming RTP timestamps to outgoing ones. Each simulcast layer has its own random start, so a switch must
/// find out which moment the new layer's timestamp means.
#[derive(Debug)]
pub(crate) struct Timeline {
    clock_rate: u32,
    offset: u32,
    last: Option<LastSent>,
    /// What came until then goes out all at once.
    squeezed: Option<(Instant, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct LastSent {
    out: u32,
    at: Instant,
    /// Report of the layer that was sent, to compare with the next layer's.
    report: Option<Report>,
}

/// A jump of more than this over a switch is not believed; the time that passed here is used instead.
const PLAUSIBLE: Duration = Duration::from_secs(2);

/// Pictures of the past that go out all at once are this many times closer together than they were. Less, and receivers take
/// the first of them for the usual delay and play all that follows so much later; more, and some are in the same millisecond,
/// which they take for one.
const SQUEEZE: u32 = 16;

/// So long after the past no packet of it comes any more.
const SQUEEZED_FOR: Duration = Duration::from_secs(5);

impl Timeline {
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self { clock_rate, offset: 0, last: None, squeezed: None }
    }

    /// Goes on with what another process sent: added `offset` to timestamps, and `out` was the time at `at`.
    pub(crate) fn go_on(&mut self, offset: u32, at: Instant, out: u32) {
        self.offset = offset;
        self.last = Some(LastSent { out, at, report: None });
    }

    /// What is added to timestamps.
    pub(crate) fn offset(&self) -> u32 {
        self.offset
    }

    /// Whether anything went out.
    pub(crate) fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// All that came until `now`, when timestamps were `incoming`, goes out as if it had come shortly before that.
    pub(crate) fn squeeze(&mut self, now: Instant, incoming: u32) {
        self.squeezed = Some((now, incoming));
    }

    /// From here on timestamps come from another layer, or the same after a pause; `incoming` is the first of them.
    pub(crate) fn switch(&mut self, now: Instant, incoming: u32, report: Option<Report>) {
        let Some(last) = self.last else {
            // The first packet ever: nothing to be continuous with.
            self.offset = 0;
            return;
        };
        self.squeezed = None;
        let elapsed = self.ticks(now.saturating_duration_since(last.at)).max(1);
        let expected = last.out.wrapping_add(elapsed);
        let slack = self.ticks(PLAUSIBLE) as i32;
        let believable = |out: u32| {
            let ahead = out.wrapping_sub(last.out) as i32;
            let off = out.wrapping_sub(expected) as i32;
            ahead > 0 && off.abs() < slack
        };
        // Same layer after a pause: the sender's clock went on, so the old offset is exact.
        let unchanged = incoming.wrapping_add(self.offset);
        let aligned = match (last.report, report) {
            (Some(old), Some(new)) => self.align(old, new, incoming),
            _ => None,
        };
        let candidates = [aligned, Some(unchanged)];
        let out = candidates.into_iter().flatten().find(|out| believable(*out)).unwrap_or(expected);
        self.offset = out.wrapping_sub(incoming);
    }

    /// The outgoing timestamp of a packet that is sent now.
    pub(crate) fn map(&mut self, now: Instant, incoming: u32, report: Option<Report>) -> u32 {
        match self.squeezed {
            Some(until) => self.map_squeezed(now, incoming, report, until),
            None => self.map_plain(now, incoming, report),
        }
    }

    #[inline]
    fn map_plain(&mut self, now: Instant, incoming: u32, report: Option<Report>) -> u32 {
        let out = incoming.wrapping_add(self.offset);
        // Late packets must not move the reference back.
        if self.last.is_none_or(|last| out.wrapping_sub(last.out) as i32 >= 0) {
            self.last = Some(LastSent { out, at: now, report });
        }
        out
    }

    /// Apart from the rest, so that packets of now do not pay for those of the past.
    #[cold]
    #[inline(never)]
    fn map_squeezed(&mut self, now: Instant, incoming: u32, report: Option<Report>, until: (Instant, u32)) -> u32 {
        let (now, incoming) = self.squeezed_to(now, incoming, until);
        self.map_plain(now, incoming, report)
    }

    fn squeezed_to(&mut self, now: Instant, incoming: u32, until: (Instant, u32)) -> (Instant, u32) {
        if now.saturating_duration_since(until.0) > SQUEEZED_FOR {
            self.squeezed = None;
            return (now, incoming);
        }
        let behind = until.1.wrapping_sub(incoming);
        if (behind as i32) <= 0 {
            return (now, incoming);
        }
        let before = until.0.saturating_duration_since(now) / SQUEEZE;
        (until.0.checked_sub(before).unwrap_or(now), until.1.wrapping_sub(behind / SQUEEZE))
    }

    /// What the old layer's clock, as sent so far, shows at the moment the new layer calls `incoming`.
    fn align(&self, old: Report, new: Report, incoming: u32) -> Option<u32> {
        let ahead = incoming.wrapping_sub(new.rtp) as i32;
        let reports_apart = match new.at.duration_since(old.at) {
            Ok(later) => i64::try_from(self.long_ticks(later)).ok()?,
            Err(earlier) => -i64::try_from(self.long_ticks(earlier.duration())).ok()?,
        };
        let old_clock = old.rtp.wrapping_add((reports_apart + i64::from(ahead)) as u32);
        Some(old_clock.wrapping_add(self.offset))
    }

    fn ticks(&self, time: Duration) -> u32 {
        self.long_ticks(time) as u32
    }

    fn long_ticks(&self, time: Duration) -> u128 {
        (time.as_nanos() * u128::from(self.clock_rate) + 500_000_000) / 1_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    enum Step {
        Switch(u64),
        /// Incoming and expected outgoing number.
        Map(u64, Option<u64>),
        /// Incoming and whether it could be left out.
        Skip(u64, bool),
    }
    use Step::*;

    fn check(first: u16, steps: &[Step]) {
        let mut sequence = Sequence::new(first);
        for (index, step) in steps.iter().enumerate() {
            match *step {
                Switch(first_in) => sequence.switch(first_in),
                Map(incoming, expected) => assert_eq!(sequence.map(incoming), expected, "step {index}"),
                Skip(incoming, expected) => assert_eq!(sequence.skip(incoming), expected, "step {index}"),
            }
        }
    }

    #[test]
    fn nothing_goes_out_before_the_first_switch() {
        check(100, &[Map(5, None), Skip(6, true)]);
    }

    #[test]
    fn numbers_stay_continuous_over_switches() {
        check(
            100,
            &[Switch(5_000), Map(5_000, Some(100)), Map(5_001, Some(101)), Switch(70), Map(70, Some(102)), Map(71, Some(103))],
        );
    }

    #[test]
    fn packets_from_before_a_switch_are_dropped() {
        check(100, &[Switch(10), Map(10, Some(100)), Switch(500), Map(500, Some(101)), Map(499, None), Map(11, None)]);
    }

    #[test]
    fn reordered_packets_and_losses_keep_their_gaps() {
        check(1, &[Switch(10), Map(10, Some(1)), Map(13, Some(4)), Map(11, Some(2)), Map(12, Some(3)), Map(14, Some(5))]);
    }

    #[test]
    fn padding_is_left_out_without_a_gap() {
        check(1, &[Switch(10), Map(10, Some(1)), Skip(11, true), Skip(12, true), Map(13, Some(2)), Map(14, Some(3))]);
    }

    #[test]
    fn a_long_run_that_is_left_out_does_not_push_out_what_came_before() {
        let mut sequence = Sequence::new(1);
        sequence.switch(1_000);
        for picture in 0..20 {
            let first = 1_000 + picture * 100;
            assert_eq!(sequence.map(first), Some(1 + picture * 2));
            // The second is lost for now, the other 98 are of no use here.
            assert!(sequence.is_newest(first + 2));
            assert!((first + 2..first + 100).all(|incoming| sequence.skip(incoming)));
            assert!(!sequence.is_newest(first + 1));
        }
        assert_eq!(sequence.map(1_001), Some(2), "the oldest comes after all");
        assert_eq!(sequence.map(2_901), Some(40));
    }

    #[test]
    fn a_late_packet_from_before_padding_keeps_its_number() {
        check(1, &[Switch(10), Map(10, Some(1)), Skip(12, true), Map(13, Some(3)), Map(11, Some(2))]);
    }

    #[test]
    fn late_padding_cannot_be_left_out() {
        check(1, &[Switch(10), Map(10, Some(1)), Map(12, Some(3)), Skip(11, false), Map(11, Some(2))]);
    }

    #[test]
    fn a_switch_after_padding_does_not_reuse_a_number() {
        // 11 is lost and may still come, 12 was padding: number 2 is spoken for.
        check(1, &[Switch(10), Map(10, Some(1)), Skip(12, true), Switch(900), Map(900, Some(3))]);
    }

    #[test]
    fn numbers_run_past_the_16_bit_wrap() {
        check(
            0xfffe,
            &[Switch(0x1_fffe), Map(0x1_fffe, Some(0xfffe)), Map(0x1_ffff, Some(0xffff)), Map(0x2_0000, Some(0x1_0000))],
        );
    }

    #[test]
    fn no_two_packets_get_one_number_whatever_comes() {
        // A small fixed generator: the order is arbitrary but the same in each run.
        let mut state = 7_u64;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut sequence = Sequence::new(1);
        let mut given = std::collections::HashSet::new();
        let mut base = 1_000;
        for _ in 0..200 {
            sequence.switch(base);
            let mut window: Vec<u64> = (base..base + 60).collect();
            while !window.is_empty() {
                let incoming = window.remove(next(window.len().min(5) as u64) as usize);
                match next(6) {
                    0 => {}
                    1 if sequence.skip(incoming) => {}
                    _ => {
                        if let Some(out) = sequence.map(incoming) {
                            assert!(given.insert(out), "{out} was given twice");
                        }
                    }
                }
            }
            base = 1_000 + next(1 << 20);
        }
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_switch_without_reports_uses_the_time_that_passed() {
        let start = Instant::now();
        let mut timeline = Timeline::new(90_000);
        timeline.switch(start, 1_000, None);
        assert_eq!(timeline.map(start, 1_000, None), 1_000);
        timeline.switch(start + at(100), 77_000_000, None);
        assert_eq!(timeline.map(start + at(100), 77_000_000, None), 10_000);
    }

    #[test]
    fn a_switch_with_reports_is_exact() {
        let start = Instant::now();
        let wall = SystemTime::UNIX_EPOCH + at(1_000_000);
        let low = Some(Report { at: wall, rtp: 500_000 });
        let high = Some(Report { at: wall + at(40), rtp: 4_000_000_000 });
        let mut timeline = Timeline::new(90_000);
        timeline.switch(start, 500_900, low);
        assert_eq!(timeline.map(start, 500_900, low), 500_900);
        // 3,600 ticks between the reports, so high's 4,000,000,000 is low's 503,600. It arrives 55 ms later.
        timeline.switch(start + at(55), 4_000_000_900, high);
        assert_eq!(timeline.map(start + at(55), 4_000_000_900, high), 504_500);
    }

    #[test]
    fn a_pause_of_the_same_layer_keeps_the_offset() {
        let start = Instant::now();
        let mut timeline = Timeline::new(90_000);
        timeline.switch(start, u32::MAX - 10, None);
        assert_eq!(timeline.map(start, u32::MAX - 10, None), u32::MAX - 10);
        let resumed = (u32::MAX - 10).wrapping_add(90_000 * 5 + 123);
        timeline.switch(start + at(5_000), resumed, None);
        assert_eq!(timeline.map(start + at(5_000), resumed, None), resumed);
    }

    #[test]
    fn the_past_goes_out_close_together_and_what_follows_as_it_comes() {
        let start = Instant::now();
        let mut timeline = Timeline::new(90_000);
        timeline.squeeze(start + at(320), 500_000 + 28_800);
        timeline.switch(start, 500_000, None);
        let mut sent = |ms: u64| timeline.map(start + at(ms), 500_000 + ms as u32 * 90, None);
        assert_eq!([0, 160, 320, 353].map(&mut sent), [527_000, 527_900, 528_800, 531_770]);
        assert_eq!(sent(160), 527_900, "what comes late is of the same picture");
        assert_eq!(sent(6_000), 1_040_000);
        // Long after, when the same numbers mean another time.
        assert!(timeline.squeezed.is_none());
    }

    #[test]
    fn a_switch_amid_the_past_goes_on_from_now() {
        let start = Instant::now();
        let mut timeline = Timeline::new(90_000);
        timeline.squeeze(start + at(1_000), 90_000);
        timeline.switch(start, 0, None);
        assert_eq!(timeline.map(start, 0, None), 90_000 - 5_625);
        timeline.switch(start + at(1_040), 7_000_000, None);
        let out = timeline.map(start + at(1_040), 7_000_000, None);
        assert!((90_000..95_000).contains(&out), "{out}: as if the first layer had gone on");
    }

    #[test]
    fn time_never_runs_backwards_over_a_switch() {
        let start = Instant::now();
        let mut timeline = Timeline::new(90_000);
        timeline.switch(start, 50_000, None);
        timeline.map(start, 50_000, None);
        timeline.switch(start, 49_000, None);
        assert_eq!(timeline.map(start, 49_000, None), 50_001);
    }
}

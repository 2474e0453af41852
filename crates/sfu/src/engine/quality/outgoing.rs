//! What is known of a track on its way to one subscriber: what was sent, what the subscriber reports, when it had nothing to
//! show. Pure: told of each frame and report, O(1) for each; about a hundred bytes.
//! Next: `score.rs` judges.

use std::time::{Duration, Instant};

use super::reception::Reception;

/// A picture counts as frozen when it stands still for longer than this, and than three times what is usual.
const FREEZE: Duration = Duration::from_millis(150);
const FREEZE_TIMES: u32 = 3;

/// Frames of the publisher, of all layers, that pass by while a subscriber gets none before that is a freeze: between two
/// frames of one layer the others' go by.
const PASSED: u8 = 5;

/// How long what froze is remembered for the score.
const MEMORY: f32 = 8.0;

#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    // What is shown.
    shown_at: Option<Instant>,
    /// The usual time between frames.
    usual: Duration,
    passed: u8,
    /// Since when the subscriber has waited for a key frame.
    stalled_at: Option<Instant>,
    pub freezes: u32,
    pub frozen: Duration,
    frames: u32,

    // Once a second.
    first_sent_at: Option<Instant>,
    sampled: Option<Sample>,
    bitrate: u64,
    frames_per_second: f32,
    /// The share of the last seconds that was frozen.
    still: f32,

    // What the subscriber says.
    reported: bool,
    lost: u32,
    loss: f32,
    /// In ticks of the track's clock.
    jitter: u32,
    pub rtt: Option<Duration>,
    pub key_frame_requests: u32,
    pub resent: u32,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    bytes: u32,
    frames: u32,
    frozen: Duration,
}

impl Outgoing {
    /// The last packet of a frame goes out. Some if a freeze ends with it: how long it was.
    pub(crate) fn show(&mut self, at: Instant) -> Option<Duration> {
        self.frames = self.frames.wrapping_add(1);
        let gap = self.shown_at.replace(at).map(|before| at.saturating_duration_since(before));
        let passed = std::mem::take(&mut self.passed);
        let gap = gap?;
        let froze = !self.usual.is_zero() && gap > self.threshold() && passed >= PASSED;
        if !froze {
            // Eighths, as RFC 6298 smooths; a first frame has nothing to compare with.
            self.usual = if self.usual.is_zero() { gap } else { (self.usual * 7 + gap.min(Duration::from_secs(2))) / 8 };
        }
        froze.then(|| self.thaw(gap))
    }

    /// A key frame begins to go out: who waited for one can go on. Some if that ends a freeze.
    pub(crate) fn begin_anew(&mut self, at: Instant) -> Option<Duration> {
        let waited = at.saturating_duration_since(self.stalled_at.take()?);
        let gap = self.shown_at.map_or(Duration::ZERO, |shown| at.saturating_duration_since(shown));
        // What stood still from the last frame on is one freeze, not two.
        self.shown_at = Some(at);
        self.passed = 0;
        let stood = waited.max(gap);
        (stood > FREEZE).then(|| self.thaw(stood))
    }

    /// A frame of the publisher goes by without reaching this subscriber.
    pub(crate) fn pass(&mut self) {
        self.passed = self.passed.saturating_add(1);
    }

    /// The subscriber cannot decode what it gets.
    pub(crate) fn stall(&mut self, now: Instant) {
        self.key_frame_requests = self.key_frame_requests.saturating_add(1);
        if self.shown_at.is_some() {
            self.stalled_at.get_or_insert(now);
        }
    }

    /// The track was paused: what stands still now is meant to.
    pub(crate) fn rest(&mut self) {
        (self.shown_at, self.stalled_at, self.passed) = (None, None, 0);
    }

    fn threshold(&self) -> Duration {
        FREEZE.max(self.usual * FREEZE_TIMES)
    }

    fn thaw(&mut self, stood: Duration) -> Duration {
        self.freezes = self.freezes.saturating_add(1);
        self.frozen += stood;
        stood
    }

    /// Called with the first packet that goes out and about once a second while more do, with their bytes so far.
    pub(crate) fn sample(&mut self, now: Instant, bytes: u32) {
        let sample = Sample { at: now, bytes, frames: self.frames, frozen: self.frozen };
        self.first_sent_at.get_or_insert(now);
        let Some(before) = self.sampled.replace(sample) else { return };
        let seconds = now.saturating_duration_since(before.at).as_secs_f32().max(0.001);
        self.bitrate = (f64::from(bytes.wrapping_sub(before.bytes)) * 8.0 / f64::from(seconds)) as u64;
        self.frames_per_second = self.frames.wrapping_sub(before.frames) as f32 / seconds;
        let share = ((self.frozen - before.frozen).as_secs_f32() / seconds).min(1.0);
        let weight = (seconds / MEMORY).min(1.0);
        self.still += (share - self.still) * weight;
    }

    /// When the first of it went out.
    pub(crate) fn first_sent_at(&self) -> Option<Instant> {
        self.first_sent_at
    }

    /// A report of the subscriber about this track. `wall` is the time of day in the form of reports, 1/65536 s.
    pub(crate) fn hear(&mut self, report: &Reception, wall: u32) {
        let loss = f32::from(report.fraction_lost) / 256.0;
        self.loss = if self.reported { self.loss + (loss - self.loss) / 4.0 } else { loss };
        self.reported = true;
        self.lost = report.lost;
        self.jitter = report.jitter;
        if let Some(rtt) = report.rtt(wall) {
            self.rtt = Some(smoothed(self.rtt, rtt));
        }
    }

    /// All of it as of now.
    pub(crate) fn read(&self, now: Instant, clock_rate: u32) -> Reading {
        // Without packets there are no samples.
        let stale = self.sampled.is_none_or(|s| now.saturating_duration_since(s.at) > Duration::from_secs(3));
        let stands = self.shown_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let stalled = self.stalled_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let still = match stands > self.threshold() && self.passed >= PASSED {
            true => stands.max(stalled),
            false if stalled > FREEZE => stalled,
            false => Duration::ZERO,
        };
        let goes_on = (still.as_secs_f32() / MEMORY).min(1.0);
        Reading {
            bitrate: if stale { 0 } else { self.bitrate },
            frames_per_second: if stale { 0.0 } else { self.frames_per_second },
            lost: self.reported.then_some(self.lost),
            loss: self.reported.then_some(self.loss),
            jitter: self.reported.then(|| Duration::from_secs_f64(f64::from(self.jitter) / f64::from(clock_rate))),
            freezes: self.freezes + u32::from(!still.is_zero()),
            frozen: self.frozen + still,
            still: self.still.max(goes_on),
        }
    }
}

/// The figures of a track at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub bitrate: u64,
    pub frames_per_second: f32,
    pub lost: Option<u32>,
    pub loss: Option<f32>,
    pub jitter: Option<Duration>,
    pub freezes: u32,
    pub frozen: Duration,
    pub still: f32,
}

/// RFC 6298 section 2.
pub(crate) fn smoothed(before: Option<Duration>, now: Duration) -> Duration {
    before.map_or(now, |before| (before * 7 + now) / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Script {
        start: Instant,
        track: Outgoing,
    }

    impl Script {
        /// Thirty frames a second for a second, two others passing by between each two.
        fn begun() -> Self {
            let mut script = Self { start: Instant::now(), track: Outgoing::default() };
            script.shows(0, 1_000);
            script
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn shows(&mut self, from: u64, to: u64) {
            for ms in (from..to).step_by(33) {
                self.track.pass();
                self.track.pass();
                let _ = self.track.show(self.at(ms));
            }
        }

        fn passes(&mut self, frames: usize) {
            for _ in 0..frames {
                self.track.pass();
            }
        }

        fn read(&self, ms: u64) -> (u32, u64) {
            let reading = self.track.read(self.at(ms), 90_000);
            (reading.freezes, reading.frozen.as_millis() as u64)
        }
    }

    #[test]
    fn a_gap_while_the_publisher_sends_is_a_freeze_and_shows_before_it_ends() {
        let mut script = Script::begun();
        assert_eq!(script.read(1_000), (0, 0));
        script.passes(60);
        assert_eq!(script.read(1_490), (1, 500));
        let froze = script.track.show(script.at(1_990));
        assert_eq!(froze, Some(Duration::from_millis(1_000)));
        assert_eq!(script.read(2_000), (1, 1_000));
        script.shows(2_023, 4_000);
        assert_eq!(script.read(4_000), (1, 1_000));
    }

    #[test]
    fn a_publisher_that_sends_nothing_freezes_nobody() {
        let mut script = Script::begun();
        script.passes(2);
        assert_eq!(script.read(5_000), (0, 0));
        assert_eq!(script.track.show(script.at(5_000)), None);
    }

    #[test]
    fn a_slow_screen_share_is_judged_by_its_own_pace() {
        let mut script = Script { start: Instant::now(), track: Outgoing::default() };
        for n in 0..10 {
            script.passes(6);
            assert_eq!(script.track.show(script.at(n * 200)), None, "frame {n}");
        }
        assert_eq!(script.read(1_900), (0, 0));
    }

    #[test]
    fn waiting_for_a_key_frame_is_a_freeze_though_packets_come() {
        let mut script = Script::begun();
        script.track.stall(script.at(1_000));
        script.shows(1_023, 1_400);
        assert_eq!(script.read(1_400), (1, 400));
        assert_eq!(script.track.begin_anew(script.at(1_500)), Some(Duration::from_millis(500)));
        assert_eq!(script.track.begin_anew(script.at(1_600)), None, "nobody waits any more");
        assert_eq!(script.read(1_600), (1, 500));
        assert_eq!(script.track.key_frame_requests, 1);
    }

    #[test]
    fn a_pause_is_no_freeze() {
        let mut script = Script::begun();
        script.track.rest();
        script.passes(100);
        assert_eq!(script.read(9_000), (0, 0));
        assert_eq!(script.track.show(script.at(9_000)), None);
    }

    #[test]
    fn rates_are_of_the_last_second_and_nothing_when_nothing_goes_out() {
        let mut script = Script::begun();
        script.track.sample(script.at(0), 1_000);
        script.shows(1_023, 2_000);
        script.track.sample(script.at(1_000), 126_000);
        let reading = script.track.read(script.at(1_100), 90_000);
        assert_eq!(reading.bitrate, 1_000_000);
        assert!((29.0..32.0).contains(&reading.frames_per_second), "{}", reading.frames_per_second);
        assert_eq!(script.track.read(script.at(9_000), 90_000).bitrate, 0);
    }

    #[test]
    fn what_froze_is_forgotten_in_the_score_after_a_while() {
        let mut script = Script::begun();
        script.track.sample(script.at(1_000), 0);
        script.passes(60);
        let _ = script.track.show(script.at(3_000));
        script.track.sample(script.at(3_000), 0);
        let just = script.track.read(script.at(3_000), 90_000).still;
        script.shows(3_033, 30_000);
        for second in 4..30 {
            script.track.sample(script.at(second * 1_000), 0);
        }
        let later = script.track.read(script.at(29_000), 90_000).still;
        assert!(just > 0.2 && later < 0.03, "{just} and {later}");
    }

    #[test]
    fn a_report_tells_loss_jitter_and_the_time_there_and_back() {
        let mut track = Outgoing::default();
        let report = Reception { ssrc: 1, fraction_lost: 64, lost: 12, jitter: 900, sent: 0x0001_0000, held: 0x8000 };
        // Two seconds after our report, of which the subscriber had it for half a second.
        track.hear(&report, 0x0003_0000);
        let reading = track.read(Instant::now(), 90_000);
        assert_eq!((reading.lost, reading.loss), (Some(12), Some(0.25)));
        assert_eq!(reading.jitter, Some(Duration::from_millis(10)));
        assert_eq!(track.rtt, Some(Duration::from_millis(1_500)));
    }
}

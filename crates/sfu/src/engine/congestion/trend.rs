//! Whether packets pile up before a bottleneck: the trend of their one-way delay, as Google congestion control does it
//! (Carlucci et al., "Analysis and design of the Google congestion control for WebRTC", 2016, with the line fit that
//! libwebrtc uses instead of the paper's Kalman filter). The clocks of both ends need not agree.
//! Pure: times go in, a verdict comes out. Next: `../congestion.rs` acts on it.

use std::collections::VecDeque;
use std::time::Duration;

/// Packets sent within this time count as one: senders send in bursts, and a burst tells nothing of the line.
const BURST: Duration = Duration::from_millis(5);
/// Bursts that the line is fitted through. Fewer are nervous, more are slow.
const WINDOW: usize = 20;
/// Share of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// Makes the slope comparable with the threshold.
const GAIN: f64 = 4.0;
/// The slope counts with the number of bursts seen, up to this.
const BURSTS_AT_MOST: f64 = 60.0;
/// The threshold follows the slope, quickly down and slowly up, so that flows that fill the queue do not starve us.
const THRESHOLD: f64 = 12.5;
const THRESHOLD_BOUNDS: (f64, f64) = (6.0, 600.0);
const THRESHOLD_UP: f64 = 0.0087;
const THRESHOLD_DOWN: f64 = 0.039;
/// A slope this far above the threshold is an accident, such as a pause of the line, and does not move it.
const OUTLIER: f64 = 15.0;
/// The slope must stay above the threshold for this long, in ms.
const OVERUSE_MS: f64 = 10.0;

/// What the delays tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trend {
    /// The queue grows: more is sent than gets through.
    Rising,
    Steady,
    /// The queue empties.
    Falling,
}

#[derive(Debug)]
pub(crate) struct Delays {
    /// The burst that is being gathered, and the one before.
    current: Option<Burst>,
    previous: Option<Burst>,
    /// Arrival in ms and smoothed delay in ms of the last bursts.
    points: VecDeque<(f64, f64)>,
    bursts: f64,
    delay: f64,
    smoothed: f64,
    threshold: f64,
    above_ms: f64,
    last_slope: f64,
    last_arrival: Option<f64>,
    trend: Trend,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    first_sent: Duration,
    sent: Duration,
    arrived: Duration,
}

impl Delays {
    pub(crate) fn new() -> Self {
        Self {
            current: None,
            previous: None,
            points: VecDeque::new(),
            bursts: 0.0,
            delay: 0.0,
            smoothed: 0.0,
            threshold: THRESHOLD,
            above_ms: 0.0,
            last_slope: 0.0,
            last_arrival: None,
            trend: Trend::Steady,
        }
    }

    /// A packet arrived; each time is on the clock of its own end. Packets come in the order they were sent.
    pub(crate) fn arrived(&mut self, sent: Duration, arrived: Duration) -> Trend {
        match &mut self.current {
            Some(burst) if sent < burst.first_sent => {}
            Some(burst) if sent - burst.first_sent <= BURST => {
                burst.sent = burst.sent.max(sent);
                burst.arrived = burst.arrived.max(arrived);
            }
            _ => {
                let begun = Burst { first_sent: sent, sent, arrived };
                if let Some(done) = self.current.replace(begun)
                    && let Some(previous) = self.previous.replace(done)
                {
                    self.compare(previous, done);
                }
            }
        }
        self.trend
    }

    fn compare(&mut self, a: Burst, b: Burst) {
        let between_sent = ms(b.sent) - ms(a.sent);
        let between_arrived = ms(b.arrived) - ms(a.arrived);
        self.bursts = (self.bursts + 1.0).min(BURSTS_AT_MOST);
        self.delay += between_arrived - between_sent;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.delay;
        let now = ms(b.arrived);
        self.points.push_back((now, self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        if self.points.len() == WINDOW {
            let slope = slope(&self.points) * self.bursts * GAIN;
            self.judge(slope, between_sent, now);
        }
    }

    fn judge(&mut self, slope: f64, elapsed_ms: f64, now: f64) {
        if slope > self.threshold {
            self.above_ms += elapsed_ms;
            if self.above_ms > OVERUSE_MS && slope >= self.last_slope {
                self.trend = Trend::Rising;
            }
        } else {
            self.above_ms = 0.0;
            self.trend = if slope < -self.threshold { Trend::Falling } else { Trend::Steady };
        }
        self.last_slope = slope;
        let size = slope.abs();
        let passed = self.last_arrival.replace(now).map_or(0.0, |last| (now - last).clamp(0.0, 100.0));
        if size <= self.threshold + OUTLIER {
            let pull = if size < self.threshold { THRESHOLD_DOWN } else { THRESHOLD_UP };
            let (least, most) = THRESHOLD_BOUNDS;
            self.threshold = (self.threshold + pull * (size - self.threshold) * passed).clamp(least, most);
        }
    }
}

/// The slope of the line with the least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> f64 {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / count;
    let over: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let under: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if under == 0.0 { 0.0 } else { over / under }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One packet each 10 ms; `delay_us` says how late the n-th one is. Returns when each verdict first came.
    fn run(count: u64, delay_us: impl Fn(u64) -> u64) -> Vec<Trend> {
        let mut delays = Delays::new();
        (0..count)
            .map(|n| {
                let sent = Duration::from_millis(n * 10);
                delays.arrived(sent, Duration::from_secs(77) + sent + Duration::from_micros(delay_us(n)))
            })
            .collect()
    }

    #[test]
    fn a_growing_queue_is_noticed_within_half_a_second() {
        let verdicts = run(200, |n| if n < 100 { 20_000 } else { 20_000 + (n - 100) * 1_000 });
        assert!(verdicts[..101].iter().all(|v| *v == Trend::Steady));
        let noticed = verdicts.iter().position(|v| *v == Trend::Rising).expect("noticed");
        assert!(noticed < 150, "noticed after {} packets", noticed - 100);
    }

    #[test]
    fn a_queue_that_empties_is_no_reason_to_slow_down() {
        let verdicts = run(200, |n| 200_000_u64.saturating_sub(n.saturating_sub(100) * 2_000));
        assert!(verdicts.contains(&Trend::Falling));
        assert!(!verdicts.contains(&Trend::Rising));
    }

    #[test]
    fn jitter_alone_is_not_congestion() {
        let verdicts = run(3_000, |n| 20_000 + (n * 7_919 % 13) * 500);
        let rising = verdicts.iter().filter(|v| **v == Trend::Rising).count();
        assert!(rising < 30, "{rising} of 3000");
    }
}

//! The estimator on a virtual line with a rate, a queue, loss and a clock of its own.

use super::*;

/// A line: packets wait in its queue, and those that find it full are lost.
struct Line {
    rate: f64,
    queue: Duration,
    delay: Duration,
    /// In percent, at random.
    loss: u64,
    busy_until: Duration,
    random: u64,
}

impl Line {
    fn new(rate: f64) -> Self {
        let (queue, delay) = (Duration::from_millis(300), Duration::from_millis(25));
        Self { rate, queue, delay, loss: 0, busy_until: Duration::ZERO, random: 1 }
    }

    fn carry(&mut self, at: Duration, bytes: usize) -> Option<Duration> {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let begins = self.busy_until.max(at);
        if begins - at > self.queue || (self.random >> 33) % 100 < self.loss {
            return None;
        }
        self.busy_until = begins + Duration::from_secs_f64(bytes as f64 * 8.0 / self.rate);
        Some(self.busy_until + self.delay)
    }
}

/// A sender that always wants to send `wanted` bit/s and is held to the estimate, and a client that reports.
struct Bench {
    start: Instant,
    now: Duration,
    congestion: Congestion,
    line: Line,
    /// Sent and not reported: number and arrival.
    out: Vec<(u16, Option<Duration>)>,
    owed: f64,
    delays: Vec<(Duration, Duration)>,
}

impl Bench {
    fn new(rate: f64) -> Self {
        let start = Instant::now();
        let congestion = Congestion::new(start, 0);
        Self { start, now: Duration::ZERO, congestion, line: Line::new(rate), out: vec![], owed: 0.0, delays: vec![] }
    }

    /// Runs for some time. What is sent is the largest of `steps` that fits the estimate: like layers, all or nothing.
    fn run(&mut self, ms: u64, steps: &[f64]) {
        for _ in 0..ms / 5 {
            self.now += Duration::from_millis(5);
            let now = self.start + self.now;
            let estimate = self.congestion.estimate().map_or(f64::MAX, |e| e as f64);
            let rate = steps.iter().copied().filter(|step| *step <= estimate).fold(steps[0], f64::max);
            self.owed += rate / 8.0 / 200.0;
            while self.owed >= 1_200.0 {
                self.owed -= 1_200.0;
                let number = self.congestion.sent(now, 1_200);
                self.carry(number, 1_200);
            }
            if self.now.as_millis().is_multiple_of(100) {
                self.report();
                let wanted = steps.iter().copied().fold(0.0, f64::max);
                for number in self.congestion.probe(now, wanted as u64, 40) {
                    self.carry(number, PADDING + 40);
                }
            }
        }
    }

    fn carry(&mut self, number: u16, bytes: usize) {
        let arrived = self.line.carry(self.now, bytes);
        self.delays.extend(arrived.map(|at| (self.now, at - self.now)));
        self.out.push((number, arrived));
    }

    /// All that has arrived by now, and what was lost before it, as a client writes it: one chunk for each packet.
    fn report(&mut self) {
        let known = self.out.iter().rposition(|(_, at)| at.is_some_and(|at| at <= self.now));
        let Some(known) = known else { return };
        let told: Vec<_> = self.out.drain(..=known).collect();
        let clock = |at: Duration| (at + Duration::from_secs(1_000)).as_micros() as i64 / 250;
        let first = told.iter().find_map(|(_, at)| *at).expect("one arrived");
        let reference = clock(first) / 256;
        let mut body = vec![];
        body.extend(told[0].0.to_be_bytes());
        body.extend((told.len() as u16).to_be_bytes());
        body.extend(&(reference as u32).to_be_bytes()[1..]);
        body.push(0);
        let mut deltas = vec![];
        let mut at = reference * 256;
        for (_, arrived) in &told {
            match arrived {
                Some(arrived) => {
                    body.extend(0x4001_u16.to_be_bytes());
                    deltas.extend(((clock(*arrived) - at) as i16).to_be_bytes());
                    at = clock(*arrived);
                }
                None => body.extend(0x0001_u16.to_be_bytes()),
            }
        }
        body.extend(deltas);
        self.congestion.hear(self.start + self.now, &body);
    }

    fn mbps(&self) -> f64 {
        self.congestion.estimate().expect("known") as f64 / 1e6
    }

    /// The worst delay of packets sent since, in ms.
    fn worst_delay(&self, since_ms: u64) -> u128 {
        let since = Duration::from_millis(since_ms);
        self.delays.iter().filter(|(at, _)| *at >= since).map(|(_, delay)| delay.as_millis()).max().unwrap_or(0)
    }
}

const LAYERS: [f64; 4] = [50e3, 200e3, 600e3, 1.8e6];

#[test]
fn a_good_line_gets_everything_at_once_and_keeps_it() {
    let mut bench = Bench::new(50e6);
    bench.run(20_000, &LAYERS);
    assert!(bench.mbps() >= 1.8, "{} Mbit/s", bench.mbps());
    assert!(bench.delays.len() > 20 * 170, "the large layer was sent all the time: {} packets", bench.delays.len());
}

#[test]
fn a_slow_line_is_found_out_within_a_second_and_its_queue_stays_short() {
    let mut bench = Bench::new(800e3);
    bench.run(1_500, &LAYERS);
    assert!(bench.mbps() < 0.85, "{} Mbit/s", bench.mbps());
    bench.run(28_500, &LAYERS);
    assert!(bench.mbps() > 0.55, "{} Mbit/s", bench.mbps());
    assert!(bench.worst_delay(5_000) < 200, "{} ms", bench.worst_delay(5_000));
}

#[test]
fn a_line_that_becomes_slow_and_fast_again_is_followed() {
    let mut bench = Bench::new(5e6);
    bench.run(5_000, &LAYERS);
    bench.line.rate = 400e3;
    bench.run(3_000, &LAYERS);
    assert!(bench.mbps() < 0.6, "{} Mbit/s", bench.mbps());
    bench.run(10_000, &LAYERS);
    bench.line.rate = 5e6;
    bench.run(15_000, &LAYERS);
    assert!(bench.mbps() >= 1.8, "{} Mbit/s after 15 s", bench.mbps());
}

#[test]
fn a_tenth_lost_at_random_is_borne() {
    let mut bench = Bench::new(10e6);
    bench.line.loss = 10;
    bench.run(30_000, &LAYERS);
    assert!(bench.mbps() >= 1.8, "{} Mbit/s", bench.mbps());
}

#[test]
fn heavy_loss_is_answered() {
    let mut bench = Bench::new(10e6);
    bench.run(2_000, &LAYERS);
    bench.line.loss = 40;
    bench.run(10_000, &LAYERS);
    assert!(bench.mbps() < 1.8, "{} Mbit/s", bench.mbps());
    bench.line.loss = 0;
    bench.run(15_000, &LAYERS);
    assert!(bench.mbps() >= 1.8, "{} Mbit/s", bench.mbps());
}

#[test]
fn what_was_lost_goes_in_more_copies_the_more_a_line_loses() {
    for (loss, copies) in [(0, 1..=1), (1, 1..=2), (10, 3..=4), (15, 3..=4), (60, 1..=1)] {
        let mut bench = Bench::new(50e6);
        bench.line.loss = loss;
        bench.run(10_000, &[1.8e6]);
        assert!(copies.contains(&bench.congestion.copies()), "{} copies with {loss} % lost", bench.congestion.copies());
    }
}

#[test]
fn a_line_with_a_queue_is_not_given_copies() {
    let mut bench = Bench::new(600e3);
    bench.line.loss = 5;
    bench.run(3_000, &[1.8e6]);
    assert_eq!(bench.congestion.copies(), 1);
}

#[test]
fn a_hiccup_before_a_rate_was_measured_cuts_nothing() {
    let mut bench = Bench::new(50e6);
    bench.line.busy_until = Duration::from_millis(90);
    bench.run(60, &LAYERS);
    bench.line.busy_until += Duration::from_millis(150);
    bench.run(300, &LAYERS);
    assert!(bench.mbps() >= 5.0, "{} Mbit/s", bench.mbps());
}

#[test]
fn after_a_hiccup_a_good_line_is_believed_again_within_three_seconds() {
    let mut bench = Bench::new(50e6);
    bench.run(3_000, &[200e3]);
    bench.line.busy_until = bench.now + Duration::from_millis(250);
    bench.run(400, &[200e3]);
    assert!(bench.mbps() < 0.3, "the hiccup was taken for a queue: {} Mbit/s", bench.mbps());
    bench.run(3_000, &LAYERS);
    assert!(bench.mbps() >= 1.8, "{} Mbit/s", bench.mbps());
}

#[test]
fn a_client_that_never_reports_is_not_estimated() {
    let mut congestion = Congestion::new(Instant::now(), 0);
    congestion.sent(Instant::now(), 1_000);
    assert_eq!(congestion.estimate(), None);
    assert!(congestion.probe(Instant::now(), 9_000_000, 40).is_empty());
}

#[test]
fn reports_about_nothing_and_about_the_same_again_change_nothing() {
    let start = Instant::now();
    let mut congestion = Congestion::new(start, 0);
    for _ in 0..30 {
        congestion.sent(start, 1_000);
    }
    // Packets 0 to 29 lost, told 50 times; then numbers that were never sent.
    let mut lost = vec![0, 0, 0, 30, 0, 0, 0, 0];
    lost.extend(30_u16.to_be_bytes());
    congestion.hear(start, &lost);
    let once = congestion.estimate();
    for second in 1..50 {
        congestion.hear(start + Duration::from_secs(second), &lost);
        congestion.hear(start, &[0x77, 0x77, 0, 1, 0, 0, 0, 0, 0x20, 1, 0]);
        congestion.hear(start, &[1]);
    }
    assert_eq!(congestion.estimate(), once);
}

//! What a run has shown. Pure: counts and times go in, figures come out.
//! Invariant: a figure that was not measured is None, and its report says so.
//! Next: `report.rs`, how people read them.

use std::time::Duration;

use serde::Serialize;

use crate::floor::Floor;
use crate::histogram::Histogram;
use crate::plan::Plan;
use crate::process::Used;
use crate::totals::Totals;

/// Below this share, what forwarding cost while people joined is small enough to be subtracted.
const FORWARDING_SHARE: f64 = 0.5;

/// Times in the unit their name says, by percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub count: u64,
}

impl Percentiles {
    /// In the given number of nanoseconds.
    pub fn of(times: &Histogram, unit: f64) -> Option<Self> {
        let at = |share| times.quantile(share).map(|time| time as f64 / unit);
        Some(Self { p50: at(0.5)?, p90: at(0.9)?, p99: at(0.99)?, count: times.count() })
    }
}

/// A thread's share of one core.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Busy {
    pub thread: String,
    pub share: f64,
}

/// Everything of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub plan: Plan,
    pub seconds: f64,
    // Packets.
    pub published: u64,
    pub forwarded: u64,
    pub forwarded_per_second: f64,
    /// What should have been forwarded in a second.
    pub planned_per_second: f64,
    pub loss: f64,
    pub lost_by_line: u64,
    pub recovered: u64,
    pub resent: u64,
    pub reordered: u64,
    pub duplicates: u64,
    pub opened_good: u64,
    pub opened_bad: u64,
    pub connections_lost: u64,
    // The server.
    pub cpu_us_per_forward: Option<f64>,
    pub cpu_user_share: Option<f64>,
    pub cpu_system_share: Option<f64>,
    pub threads: Vec<Busy>,
    pub memory_kib: Option<f64>,
    pub memory_kib_per_subscriber: Option<f64>,
    // Time.
    pub video_latency_us: Option<Percentiles>,
    pub audio_latency_us: Option<Percentiles>,
    pub join_ms: Option<Percentiles>,
    pub cpu_ms_per_join: Option<f64>,
    // This machine.
    pub floor_us: Option<Floor>,
    pub load_threads: Vec<Busy>,
    /// Datagrams thrown away on this machine because a reader was too slow.
    pub full_buffers: Option<u64>,
    /// Cores that neither the server nor the load used, but others did, or the kernel on nobody's account.
    pub others: Option<f64>,
}

/// What was read while a run went on.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    pub window: Duration,
    pub totals: Totals,
    pub publishing_cpu: Duration,
    pub watching_cpu: Duration,
    pub used: Option<Used>,
    pub full_buffers: Option<u64>,
    /// CPU time of everything on this machine, and of this process.
    pub machine: Option<(Duration, Duration)>,
    /// Bytes, before the subscribers came and after.
    pub memory: Option<(u64, u64)>,
    /// What the server used for each second before those who watch came.
    pub share_before: Option<f64>,
    pub joining: Duration,
    pub used_joining: Option<Duration>,
    pub joins: Vec<Duration>,
}

impl Figures {
    pub fn new(plan: Plan, readings: &Readings, floor: Option<Floor>) -> Self {
        let Readings { totals, window, .. } = readings;
        let seconds = window.as_secs_f64();
        let forwarded = totals.forwarded();
        let used = readings.used.as_ref();
        let share = |time: Duration| time.as_secs_f64() / seconds;
        let mut joins = Histogram::default();
        readings.joins.iter().for_each(|join| joins.record(join.as_nanos() as u64));
        let mut threads: Vec<Busy> = used
            .map(|used| used.threads.iter().map(|(thread, time)| Busy { thread: thread.clone(), share: share(*time) }).collect())
            .unwrap_or_default();
        threads.sort_by(|a, b| b.share.total_cmp(&a.share));
        threads.retain(|busy| busy.share >= 0.001);
        let load = |thread: &str, time| Busy { thread: thread.to_owned(), share: share(time) };
        Self {
            plan,
            seconds,
            published: totals.sent_video + totals.sent_audio,
            forwarded,
            forwarded_per_second: forwarded as f64 / seconds,
            planned_per_second: plan.shape.forwards_per_second(&plan.rates),
            loss: totals.loss(),
            lost_by_line: totals.lost_by_line,
            recovered: totals.recovered,
            resent: totals.resent,
            reordered: totals.reordered,
            duplicates: totals.duplicates,
            opened_good: totals.good,
            opened_bad: totals.bad,
            connections_lost: totals.ended,
            cpu_us_per_forward: used.filter(|_| forwarded > 0).map(|used| used.total().as_secs_f64() * 1e6 / forwarded as f64),
            cpu_user_share: used.map(|used| share(used.user)),
            cpu_system_share: used.map(|used| share(used.system)),
            threads,
            memory_kib: readings.memory.map(|(_, after)| after as f64 / 1_024.0),
            memory_kib_per_subscriber: readings
                .memory
                .filter(|_| !readings.joins.is_empty())
                .map(|(before, after)| after.saturating_sub(before) as f64 / 1_024.0 / readings.joins.len() as f64),
            video_latency_us: Percentiles::of(&totals.video_latency, 1e3),
            audio_latency_us: Percentiles::of(&totals.audio_latency, 1e3),
            join_ms: Percentiles::of(&joins, 1e6),
            cpu_ms_per_join: readings.cpu_per_join().map(|time| time.as_secs_f64() * 1e3),
            floor_us: floor,
            load_threads: vec![load("publishers", readings.publishing_cpu), load("subscribers", readings.watching_cpu)],
            full_buffers: readings.full_buffers,
            others: readings.machine.zip(used).map(|((all, own), server)| share(all.saturating_sub(own + server.total()))),
        }
    }

    /// The cost of a forward in floors.
    pub fn floor_ratio(&self) -> Option<f64> {
        Some(self.cpu_us_per_forward? / self.floor_us?.segmented)
    }

    /// The busiest thread of the load itself, as a share of a core.
    pub fn load(&self) -> f64 {
        self.load_threads.iter().map(|busy| busy.share).fold(0.0, f64::max)
    }
}

impl Readings {
    /// CPU time of the server for a join: what it used while people joined, less what those already there cost meanwhile,
    /// which grew from what it was before to what it is at rest. None if that was most of it.
    fn cpu_per_join(&self) -> Option<Duration> {
        let (used, joins) = (self.used_joining?, u32::try_from(self.joins.len()).ok().filter(|joins| *joins > 0)?);
        let rest = self.used.as_ref()?.total().as_secs_f64() / self.window.as_secs_f64();
        let forwarding = (self.share_before.unwrap_or_default() + rest) / 2.0 * self.joining.as_secs_f64();
        let used = used.as_secs_f64();
        (forwarding < used * FORWARDING_SHARE).then(|| Duration::from_secs_f64(used - forwarding) / joins)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plan::{Line, Rates, Shape};

    pub(crate) fn example() -> Figures {
        let plan = Plan {
            shape: Shape { meetings: 1, publishers: 1, subscribers: 2, mutual: false, streams: 1 },
            rates: Rates { video_pps: 200.0, video_bytes: 1_200, fps: 30.0, audio_pps: 30.0, audio_bytes: 100 },
            line: Line { loss: 0.0, delay: Duration::ZERO },
            joins_per_second: 10.0,
            settle: Duration::ZERO,
            window: Duration::from_secs(2),
            open_every: 16,
        };
        let mut totals = Totals { video: 800, audio: 200, expected: 1_010, came: 1_000, good: 60, ..Totals::default() };
        (1..=100).for_each(|at| totals.video_latency.record(at * 10_000));
        let used = Used { user: Duration::from_millis(3), system: Duration::from_millis(1), ..Used::default() };
        let readings = Readings {
            window: plan.window,
            totals,
            used: Some(used),
            machine: Some((Duration::from_millis(210), Duration::from_millis(6))),
            memory: Some((1 << 20, 1 << 21)),
            joining: Duration::from_secs(1),
            used_joining: Some(Duration::from_millis(5)),
            joins: vec![Duration::from_millis(12), Duration::from_millis(14)],
            ..Readings::default()
        };
        Figures::new(plan, &readings, Some(Floor { segmented: 2.0, plain: 3.0 }))
    }

    #[test]
    fn figures_follow_from_readings() {
        let figures = example();
        assert_eq!(figures.cpu_us_per_forward, Some(4.0));
        assert_eq!(figures.floor_ratio(), Some(2.0));
        assert_eq!(figures.forwarded_per_second, 500.0);
        assert_eq!(figures.others, Some(0.1));
        assert_eq!(figures.memory_kib_per_subscriber, Some(512.0));
        assert!((figures.loss - 10.0 / 1_010.0).abs() < 1e-9);
        // 5 ms, less half of a second at 2 ms a second, for two.
        assert!((figures.cpu_ms_per_join.unwrap() - 2.0).abs() < 1e-6);
        let video = figures.video_latency_us.unwrap();
        assert!((490.0..510.0).contains(&video.p50) && (970.0..1_010.0).contains(&video.p99), "{video:?}");
        assert_eq!(figures.audio_latency_us, None);
    }

    #[test]
    fn a_join_costs_what_is_beyond_those_already_there() {
        let readings = Readings {
            window: Duration::from_secs(1),
            // A tenth of a core before, three tenths after: two tenths on the way.
            share_before: Some(0.1),
            used: Some(Used { user: Duration::from_millis(300), ..Used::default() }),
            joining: Duration::from_secs(2),
            used_joining: Some(Duration::from_millis(1_000)),
            joins: vec![Duration::from_millis(1); 100],
            ..Readings::default()
        };
        assert_eq!(readings.cpu_per_join(), Some(Duration::from_millis(6)));
    }

    #[test]
    fn joins_that_drown_in_forwarding_are_not_told() {
        let readings = Readings {
            window: Duration::from_secs(1),
            used: Some(Used { user: Duration::from_millis(500), ..Used::default() }),
            joining: Duration::from_secs(2),
            used_joining: Some(Duration::from_millis(600)),
            joins: vec![Duration::from_millis(1)],
            ..Readings::default()
        };
        assert_eq!(readings.cpu_per_join(), None);
    }
}

//! `--scenario table`: the runs whose figures are held against targets, and the rows made of them. Pure but for `runs`.
//! Next: `docs/performance.md` has the figures of the day.

use std::time::Duration;

use serde::Serialize;

use crate::figures::Figures;
use crate::plan::{Plan, Rates, Shape};
use crate::report::Row;

/// Subscribers of the smaller load.
const FEW: usize = 100;
/// Subscribers of the larger load.
const MANY: usize = 500;
/// Subscribers for each media thread where scaling is asked.
pub const PER_THREAD: usize = 200;
/// Videos each subscriber takes where the cost of streams is asked.
const STREAMS: usize = 30;

/// The runs of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Runs {
    pub few: Figures,
    pub many: Figures,
    pub streams: Figures,
    pub joins: Figures,
    /// None with a server that runs: it has the threads it has.
    pub threads: Option<Threads>,
}

/// A meeting on one media thread, and one of twice the size on two.
#[derive(Clone, Debug, Serialize)]
pub struct Threads {
    pub one: Figures,
    pub two: Figures,
}

impl Threads {
    pub fn named(&self) -> [(&'static str, &Figures); 2] {
        [("one thread", &self.one), ("two threads", &self.two)]
    }

    /// How much more two threads carry than one: a server is full when its busiest media thread is, so this is what is
    /// forwarded for each second of its time, with two against with one.
    fn scaling(&self) -> Option<f64> {
        let carried = |figures: &Figures| {
            let busiest = media_threads(figures).map(|(_, share)| share).reduce(f64::max)?;
            Some(figures.forwarded_per_second / busiest)
        };
        Some(carried(&self.two)? / carried(&self.one)?)
    }

    fn note(&self) -> String {
        let told = |figures: &Figures| {
            let threads: Vec<String> =
                media_threads(figures).map(|(name, share)| format!("{name} {:.1}%", share * 100.0)).collect();
            format!("{} for {:.0}/s", threads.join(", "), figures.forwarded_per_second)
        };
        format!("{}; {}", told(&self.one), told(&self.two))
    }
}

/// Names of the server's media threads, and their shares of a core.
fn media_threads(figures: &Figures) -> impl Iterator<Item = (&str, f64)> {
    figures.threads.iter().filter(|busy| busy.thread.starts_with("media")).map(|busy| (busy.thread.as_str(), busy.share))
}

/// A run of the table: its name, and what it is. `base` gives rates, durations and line.
pub fn plans(base: &Plan) -> [(&'static str, Plan); 4] {
    let one_to = |subscribers, streams| Shape { meetings: 1, publishers: 1, subscribers, mutual: false, streams };
    // Ten meetings in turn: a server may spare publishers wishes for key frames that come right after each other.
    let joins = Shape { meetings: 10, publishers: 1, subscribers: 10, mutual: false, streams: 1 };
    // Ten small packets a second and no voice: enough to be alive, too little to be counted as forwarding.
    let trickle = Rates { video_pps: 10.0, fps: 10.0, video_bytes: 200, audio_pps: 0.0, ..base.rates };
    [
        ("1 to 100", Plan { shape: one_to(FEW, 1), ..*base }),
        ("1 to 500", Plan { shape: one_to(MANY, 1), ..*base }),
        ("1 to 100, 30 streams", Plan { shape: one_to(FEW, STREAMS), ..*base }),
        (
            "joins",
            Plan {
                shape: joins,
                rates: trickle,
                joins_per_second: 20.0,
                window: base.window.min(Duration::from_secs(4)),
                ..*base
            },
        ),
    ]
}

/// The runs that scaling is made of: the setting, and the plan.
pub fn scaling(base: &Plan) -> [(&'static str, Plan); 2] {
    let one_to = |subscribers| Shape { meetings: 1, publishers: 1, subscribers, mutual: false, streams: 1 };
    [
        ("media.threads=1", Plan { shape: one_to(PER_THREAD), ..*base }),
        ("media.threads=2", Plan { shape: one_to(2 * PER_THREAD), ..*base }),
    ]
}

/// The table: each figure with its target and what other servers need on such a machine (2 shared cores, loopback).
pub fn rows(runs: &Runs) -> Vec<Row> {
    let Runs { few, many, streams, joins, threads } = runs;
    let floor = |figures: &Figures| {
        figures.floor_us.map_or_else(String::new, |floor| {
            format!("floor {:.2} us with UDP segmentation, {:.2} without", floor.segmented, floor.plain)
        })
    };
    let ratio = streams.cpu_us_per_forward.zip(few.cpu_us_per_forward).map(|(many, one)| many / one);
    let video = few.video_latency_us;
    let audio = few.audio_latency_us;
    let mut rows = vec![
        Row::new(format!("server CPU per forwarded packet, 1 to {FEW}"), few.cpu_us_per_forward, "us")
            .at_most(2.5)
            .floors(few.floor_ratio())
            .note(format!("mediasoup 9.5, Janus 16.6 to 21.5; {}", floor(few))),
        Row::new("  the same in floors", few.floor_ratio(), "x").at_most(2.0),
        Row::new(format!("server CPU per forwarded packet, 1 to {MANY}"), many.cpu_us_per_forward, "us")
            .at_most(1.8)
            .floors(many.floor_ratio())
            .note(floor(many)),
        Row::new(format!("cost with {STREAMS} streams against 1"), ratio, "x").at_most(1.1).note(format!(
            "{} us",
            streams.cpu_us_per_forward.map_or_else(|| "not measured".to_owned(), |cost| format!("{cost:.2}"))
        )),
        Row::new(format!("video latency at 1 to {FEW}, p50"), video.map(|times| times.p50), "us")
            .at_most(1_000.0)
            .note("mediasoup 417, Janus 650"),
        Row::new(format!("video latency at 1 to {FEW}, p99"), video.map(|times| times.p99), "us")
            .at_most(3_000.0)
            .note("mediasoup 1600, Janus 1800"),
        Row::new(format!("audio latency at 1 to {FEW}, p50"), audio.map(|times| times.p50), "us").at_most(400.0),
        Row::new(format!("audio latency at 1 to {FEW}, p99"), audio.map(|times| times.p99), "us").at_most(1_500.0),
    ];
    for (what, times) in [("video", many.video_latency_us), ("audio", many.audio_latency_us)] {
        rows.push(
            Row::new(format!("{what} latency at 1 to {MANY}, p50"), times.map(|times| times.p50), "us")
                .note(times.map_or_else(String::new, |times| format!("p99 {:.0} us", times.p99))),
        );
    }
    rows.extend([
        Row::new("memory per subscribed peer (1 video, 1 audio)", few.memory_kib_per_subscriber, "KiB")
            .at_most(150.0)
            .note("mediasoup 1014, Janus 471"),
        Row::new("join, p50", joins.join_ms.map(|join| join.p50), "ms").at_most(20.0).note("mediasoup 19.8, Janus 33"),
        Row::new("server CPU per join", joins.cpu_ms_per_join, "ms").at_most(2.0).note("mediasoup 6.8, Janus 10.4"),
        scaling_row(threads.as_ref()),
    ]);
    let lost = |figures: &Figures| figures.loss * 100.0;
    rows.push(Row::new("packets that never came, worst run", Some(lost(few).max(lost(many)).max(lost(streams))), "%"));
    let opened = [few, many, streams, joins];
    rows.push(
        Row::new("packets opened in all runs", Some(opened.iter().map(|run| run.opened_good as f64).sum()), "")
            .note(format!("{} bad", opened.iter().map(|run| run.opened_bad).sum::<u64>())),
    );
    rows
}

/// How much more two media threads carry than one.
pub fn scaling_row(threads: Option<&Threads>) -> Row {
    Row::new("scaling from one media thread to two, one meeting", threads.and_then(Threads::scaling), "x")
        .at_least(1.8)
        .note(threads.map_or_else(|| "a running server has the threads it has".to_owned(), Threads::note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Busy;
    use crate::figures::tests::example;

    #[test]
    fn every_target_has_a_row() {
        let figures = example();
        let streams = Figures { cpu_us_per_forward: Some(5.0), ..figures.clone() };
        let busy = |thread: &str, share| Busy { thread: thread.to_owned(), share };
        let one = Figures { threads: vec![busy("media-0", 0.2), busy("other", 0.9)], ..figures.clone() };
        let two = Figures {
            threads: vec![busy("media-1", 0.25), busy("media-0", 0.15)],
            forwarded_per_second: 1_000.0,
            ..figures.clone()
        };
        let threads = Some(Threads { one, two });
        let runs = Runs { few: figures.clone(), many: figures.clone(), streams, joins: figures, threads };
        let rows = rows(&runs);
        assert_eq!(rows.iter().filter(|row| row.target.is_some()).count(), 12);
        let find = |start: &str| rows.iter().find(|row| row.figure.starts_with(start)).unwrap();
        assert_eq!(find("cost with 30 streams").measured, Some(1.25));
        assert_eq!(find("cost with 30 streams").is_met(), Some(false));
        assert_eq!(find("join, p50").is_met(), Some(true));
        // 500 for 0.2 s, against 1000 for 0.25 s.
        assert_eq!(find("scaling").measured, Some(1.6));
        assert_eq!(find("scaling").is_met(), Some(false));
    }

    #[test]
    fn every_plan_can_be_carried_out() {
        for (name, plan) in plans(&example().plan).into_iter().chain(scaling(&example().plan)) {
            assert_eq!(plan.check(), Ok(()), "{name}");
        }
    }
}

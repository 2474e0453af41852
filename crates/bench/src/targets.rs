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
/// Videos each subscriber takes where the cost of streams is asked.
const STREAMS: usize = 30;

/// The runs of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Runs {
    pub few: Figures,
    pub many: Figures,
    pub streams: Figures,
    pub joins: Figures,
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

/// The table: each figure with its target and what other servers need on such a machine (2 shared cores, loopback).
pub fn rows(runs: &Runs) -> Vec<Row> {
    let Runs { few, many, streams, joins } = runs;
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
        Row::new("scaling over media threads", None, "x")
            .at_least(1.8)
            .note("compare two runs with different --set, on a machine with more cores than the load needs"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::example;

    #[test]
    fn every_target_has_a_row() {
        let figures = example();
        let streams = Figures { cpu_us_per_forward: Some(5.0), ..figures.clone() };
        let runs = Runs { few: figures.clone(), many: figures.clone(), streams, joins: figures };
        let rows = rows(&runs);
        assert_eq!(rows.iter().filter(|row| row.target.is_some()).count(), 12);
        let find = |start: &str| rows.iter().find(|row| row.figure.starts_with(start)).unwrap();
        assert_eq!(find("cost with 30 streams").measured, Some(1.25));
        assert_eq!(find("cost with 30 streams").is_met(), Some(false));
        assert_eq!(find("join, p50").is_met(), Some(true));
        assert_eq!(find("scaling").is_met(), None);
    }

    #[test]
    fn every_plan_can_be_carried_out() {
        for (name, plan) in plans(&example().plan) {
            assert_eq!(plan.check(), Ok(()), "{name}");
        }
    }
}

//! What people read of a run: a figure a line, with its target and the floor beside it. Pure.
//! Invariant: what was not measured is said to be so, with the reason.

use std::fmt::Write;

use serde::Serialize;

use crate::figures::{Figures, Percentiles};

/// A figure with what it is held against.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub figure: String,
    pub measured: Option<f64>,
    pub unit: &'static str,
    /// It should be no more than this, or no less if `at_least`.
    pub target: Option<f64>,
    pub at_least: bool,
    /// The measured figure in floors of the same run.
    pub floors: Option<f64>,
    /// What else is known, or why it was not measured.
    pub note: String,
}

impl Row {
    pub fn new(figure: impl Into<String>, measured: Option<f64>, unit: &'static str) -> Self {
        let figure = figure.into();
        Self { figure, measured, unit, target: None, at_least: false, floors: None, note: String::new() }
    }

    pub fn at_most(self, target: f64) -> Self {
        Self { target: Some(target), ..self }
    }

    pub fn at_least(self, target: f64) -> Self {
        Self { target: Some(target), at_least: true, ..self }
    }

    pub fn floors(self, floors: Option<f64>) -> Self {
        Self { floors, ..self }
    }

    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Whether the target is met. None if there is nothing to compare.
    pub fn is_met(&self) -> Option<bool> {
        let (measured, target) = (self.measured?, self.target?);
        Some(if self.at_least { measured >= target } else { measured <= target })
    }
}

/// Rows as a table for a terminal.
pub fn table(rows: &[Row]) -> String {
    let head = ["figure", "measured", "target", "met", "x floor", "note"].map(str::to_owned);
    let mut cells = vec![head];
    for row in rows {
        let target =
            row.target.map(|target| format!("{} {}", if row.at_least { ">=" } else { "<=" }, quantity(target, row.unit)));
        let met = row.is_met().map(|met| if met { "yes" } else { "NO" }.to_owned());
        cells.push([
            row.figure.clone(),
            row.measured.map_or_else(|| "not measured".to_owned(), |measured| quantity(measured, row.unit)),
            target.unwrap_or_default(),
            met.unwrap_or_default(),
            row.floors.map(|floors| format!("{floors:.2}")).unwrap_or_default(),
            row.note.clone(),
        ]);
    }
    let widths: Vec<usize> = (0..6).map(|at| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in cells {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match at {
                0 | 5 => write!(line, "{cell:width$}  "),
                _ => write!(line, "{cell:>width$}  "),
            };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// Three digits that count, and no more than three behind the point. What has no unit is a count.
fn quantity(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        _ if unit.is_empty() => 0,
        value if value >= 100.0 || value == 0.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    let space = if unit.is_empty() || unit == "%" { "" } else { " " };
    format!("{value:.digits$}{space}{unit}")
}

/// All figures of one run.
pub fn rows(figures: &Figures) -> Vec<Row> {
    let Figures { plan, .. } = figures;
    let floor = figures.floor_us.map_or_else(String::new, |floor| {
        format!("floor {:.2} us with UDP segmentation, {:.2} without", floor.segmented, floor.plain)
    });
    let shares = |busy: &[crate::figures::Busy]| {
        let busy = busy.iter().take(4).map(|busy| format!("{} {:.0}%", busy.thread, busy.share * 100.0));
        busy.collect::<Vec<_>>().join(", ")
    };
    let unread = |figure: Option<f64>, note: String| match figure {
        None if figures.threads.is_empty() => "the server's process is not known; give --pid".to_owned(),
        _ => note,
    };
    let cpu = figures.cpu_user_share.zip(figures.cpu_system_share).map(|(user, system)| user + system);
    let mut rows = vec![
        Row::new("server CPU per forwarded packet", figures.cpu_us_per_forward, "us")
            .floors(figures.floor_ratio())
            .note(unread(figures.cpu_us_per_forward, floor)),
        Row::new("server CPU", cpu.map(|cpu| cpu * 100.0), "%").note(shares(&figures.threads)),
        Row::new("packets forwarded a second", Some(figures.forwarded_per_second), "")
            .note(format!("{:.0} planned", figures.planned_per_second)),
        Row::new("packets that never came", Some(figures.loss * 100.0), "%").note(format!(
            "{} reordered, {} twice, {} sent again, {} recovered by that",
            figures.reordered, figures.duplicates, figures.resent, figures.recovered
        )),
        Row::new("packets opened", Some(figures.opened_good as f64), "")
            .note(format!("1 in {}, {} of them bad", plan.open_every, figures.opened_bad)),
    ];
    rows.extend(latency("video", figures.video_latency_us));
    rows.extend(latency("audio", figures.audio_latency_us));
    rows.push(Row::new("memory per subscriber", figures.memory_kib_per_subscriber, "KiB").note(unread(
        figures.memory_kib_per_subscriber,
        figures.memory_kib.map_or_else(String::new, |all| format!("{:.1} MiB in all", all / 1_024.0)),
    )));
    let join = figures.join_ms;
    rows.push(
        Row::new("join, p50", join.map(|join| join.p50), "ms").note("from opening the socket to the first whole key frame"),
    );
    rows.push(Row::new("join, p99", join.map(|join| join.p99), "ms"));
    let per_join = Row::new("server CPU per join", figures.cpu_ms_per_join, "ms");
    rows.push(match figures.cpu_ms_per_join {
        Some(_) => per_join,
        None => per_join.note("forwarding hides it here, or the server cannot be read; see --scenario table"),
    });
    rows.push(Row::new("load generator, busiest thread", Some(figures.load() * 100.0), "%").note(shares(&figures.load_threads)));
    rows
}

fn latency(what: &str, times: Option<Percentiles>) -> [Row; 3] {
    let at = |name: &str, pick: fn(&Percentiles) -> f64| {
        Row::new(format!("{what} forwarding latency, {name}"), times.as_ref().map(pick), "us")
    };
    [at("p50", |times| times.p50), at("p90", |times| times.p90), at("p99", |times| times.p99)]
}

/// What makes figures doubtful.
pub fn doubts(figures: &Figures) -> Vec<String> {
    let mut doubts = Vec::new();
    if figures.load() > 0.85 {
        doubts.push("the load generator was busy all the time: latency, loss and rate are its own, not the server's".to_owned());
    }
    if let Some(others) = figures.others.filter(|others| *others > 0.25) {
        doubts.push(format!(
            "others, or the kernel on its own, used {others:.1} cores meanwhile: times may be too long, CPU figures too high"
        ));
    }
    if figures.full_buffers.is_some_and(|count| count > 0) {
        let count = figures.full_buffers.unwrap_or(0);
        doubts.push(format!("this machine threw {count} datagrams away because the load, or the server, read too slowly"));
    }
    if figures.opened_bad > 0 {
        doubts.push(format!("{} packets did not open: they were damaged or sealed wrongly", figures.opened_bad));
    }
    if figures.connections_lost > 0 {
        doubts.push(format!("{} media connections ended during the run", figures.connections_lost));
    }
    if figures.plan.line.loss == 0.0 && figures.forwarded_per_second < 0.98 * figures.planned_per_second {
        doubts.push("fewer packets came than planned: somebody could not keep up".to_owned());
    }
    doubts
}

/// A run in words.
pub fn title(figures: &Figures) -> String {
    let Figures { plan, .. } = figures;
    let shape = &plan.shape;
    let who = match (shape.mutual, shape.subscribers) {
        (true, 0) => format!("{} people who all see each other", shape.publishers),
        (true, more) => format!("{} people who all see each other and {more} who watch", shape.publishers),
        (false, watching) => format!("{} publishers and {watching} subscribers", shape.publishers),
    };
    let quiet = match shape.quiet() {
        0 => String::new(),
        quiet => format!(", {quiet} quiet cameras"),
    };
    let line = match (plan.line.loss, plan.line.delay.as_millis()) {
        (0.0, 0) => String::new(),
        (loss, delay) => format!("; {:.1}% loss and {delay} ms delay on the way to them", loss * 100.0),
    };
    format!(
        "{} x {who}{quiet}; each publisher {:.0} video packets/s of {} B and {:.0} audio of {} B{line}; {:.1} s",
        shape.meetings,
        plan.rates.video_pps,
        plan.rates.video_bytes,
        plan.rates.audio_pps,
        plan.rates.audio_bytes,
        figures.seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::example;

    #[test]
    fn a_report_has_every_figure() {
        let figures = example();
        let text = table(&rows(&figures));
        for part in [
            "server CPU per forwarded packet  ",
            "4.00 us",
            "2.00",
            "floor 2.00 us with UDP segmentation, 3.00 without",
            "audio forwarding latency, p99",
            "not measured",
            "memory per subscriber",
            "512 KiB",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.lines().all(|line| line == line.trim_end()));
        assert_eq!(
            title(&figures),
            "1 x 1 publishers and 2 subscribers; each publisher 200 video packets/s of 1200 B and 30 audio of 100 B; 2.0 s"
        );
    }

    #[test]
    fn targets_are_judged() {
        let row = Row::new("x", Some(2.0), "us");
        assert_eq!(row.is_met(), None);
        assert_eq!(row.clone().at_most(2.0).is_met(), Some(true));
        assert_eq!(row.clone().at_most(1.9).is_met(), Some(false));
        assert_eq!(row.at_least(2.1).is_met(), Some(false));
        assert_eq!(Row::new("x", None, "us").at_most(1.0).is_met(), None);
        assert!(table(&[Row::new("x", Some(3.0), "us").at_most(1.0)]).contains("<= 1.00 us   NO"));
    }

    #[test]
    fn doubts_are_told() {
        let mut figures = example();
        figures.opened_bad = 2;
        figures.full_buffers = Some(5);
        figures.others = Some(1.5);
        let doubts = doubts(&figures).join("\n");
        assert!(doubts.contains("2 packets did not open") && doubts.contains("threw 5 datagrams"), "{doubts}");
        assert!(doubts.contains("used 1.5 cores meanwhile"), "{doubts}");
        // 500 of 460 planned.
        assert!(!doubts.contains("fewer packets"), "{doubts}");
    }

    #[test]
    fn quantities_have_the_digits_that_count() {
        let told = [0.0, 0.0123, 1.2345, 12.345, 123.45, 46_000.0].map(|value| quantity(value, "us"));
        assert_eq!(told, ["0 us", "0.012 us", "1.23 us", "12.3 us", "123 us", "46000 us"]);
        assert_eq!(quantity(12.0, "%"), "12.0%");
        assert_eq!(quantity(12.0, ""), "12");
    }
}

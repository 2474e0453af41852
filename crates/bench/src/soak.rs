//! `--scenario soak`: meetings come, stay a while and go, for as long as wanted; the server's memory should stay as it is.
//! Invariant: what is compared was read under the same load, after as much had come and gone as the server keeps for later.
//! Next: `run.rs` for how people come in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::figures::Readings;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::run::Crowd;
use crate::server::Server;

/// What the server is told, if it is ours: a meeting is over soon after its people have left.
pub const SETTINGS: [&str; 3] =
    ["limits.session_keep_alive_min_secs=5", "limits.session_keep_alive_default_secs=5", "session.grace_secs=5"];

/// Memory is read this often, and told this often.
const READ_EVERY: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The first part of a run, in which pools, caches and the pages of the database fill.
const WARM_UP: f64 = 0.25;
const WARM_UP_AT_MOST: Duration = Duration::from_secs(180);

/// Growth after that up to here counts as none: an allocator's own noise.
const FLAT_PERCENT: f64 = 5.0;

/// After the last has left, the server has this long to forget.
const FORGET_WITHIN: Duration = Duration::from_secs(60);

/// What is to be nothing at the end.
const LEFT_OVER: [&str; 7] =
    ["media_transports", "media_rooms", "media_producers", "media_consumers", "sessions_live", "peers_live", "sockets_open"];

/// The server at one moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reading {
    /// Seconds since the start.
    pub at: f64,
    pub memory_kib: f64,
    /// People in meetings.
    pub people: usize,
    pub joined: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Soak {
    pub plan: Plan,
    pub seconds: f64,
    pub joined: u64,
    pub left: u64,
    /// Meetings whose people could not all come in, and why the last could not.
    pub failed: u64,
    pub last_failure: Option<String>,
    pub readings: Vec<Reading>,
    /// Between the quarter after the warm-up and the last quarter, by their medians.
    pub growth_percent: Option<f64>,
    /// Of what should be nothing at the end, what there is; and bugs that showed.
    pub left_over: Vec<(String, f64)>,
    pub panics: f64,
}

impl Soak {
    pub fn is_flat(&self) -> Option<bool> {
        self.growth_percent.map(|growth| growth <= FLAT_PERCENT)
    }
}

/// `plan.window` is how long in all, `stay` how long a meeting is there, `plan.shape.meetings` how many at once.
pub async fn run(server: &Server, plan: Plan, stay: Duration, progress: &Progress) -> anyhow::Result<Soak> {
    let one = Plan { shape: crate::plan::Shape { meetings: 1, ..plan.shape }, ..plan };
    let start = Instant::now();
    let every = stay / u32::try_from(plan.shape.meetings).unwrap_or(u32::MAX).max(1);
    let mut soak = Soak {
        plan,
        seconds: 0.0,
        joined: 0,
        left: 0,
        failed: 0,
        last_failure: None,
        readings: Vec::new(),
        growth_percent: None,
        left_over: Vec::new(),
        panics: 0.0,
    };
    let mut crowds: VecDeque<(Instant, Crowd<'_>)> = VecDeque::new();
    let (mut next, mut read_at) = (start, start);
    while start.elapsed() < plan.window {
        let now = Instant::now();
        while crowds.front().is_some_and(|(came, _)| now.duration_since(*came) >= stay) {
            soak.left += crowds.pop_front().map_or(0, |(_, crowd)| crowd.people() as u64);
        }
        if now >= next {
            next = now + every;
            let mut crowd = Crowd::new(server, one)?;
            let came = crowd.let_in(&one.shape, &mut Readings::default(), &Progress::new(false)).await;
            soak.joined += crowd.people() as u64;
            if let Err(error) = came {
                soak.failed += 1;
                soak.last_failure = Some(format!("{error:#}"));
            }
            crowds.push_back((Instant::now(), crowd));
        }
        if now >= read_at {
            read_at = now + READ_EVERY;
            let people = crowds.iter().map(|(_, crowd)| crowd.people()).sum();
            let reading = read(server, start, people, soak.joined);
            soak.readings.extend(reading);
            let memory = reading.map_or_else(String::new, |reading| format!(", {:.1} MiB", reading.memory_kib / 1_024.0));
            let left = plan.window.saturating_sub(start.elapsed()).as_secs();
            progress.say(&format!("{people} people, {} joins{memory}, {left} s left", soak.joined));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    soak.seconds = start.elapsed().as_secs_f64();
    soak.growth_percent = growth(&soak.readings, soak.seconds);
    soak.left += crowds.drain(..).map(|(_, crowd)| crowd.people() as u64).sum::<u64>();
    let gone = Instant::now();
    loop {
        progress.say("waiting for the server to forget");
        let metrics = server.door.metrics().await?;
        let value = |name: &str| metric(&metrics, name).unwrap_or(f64::NAN);
        soak.left_over = LEFT_OVER.map(|name| (name.to_owned(), value(name))).into_iter().filter(|(_, n)| *n != 0.0).collect();
        soak.panics = value("media_panics_total");
        if soak.left_over.is_empty() || gone.elapsed() > FORGET_WITHIN {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    soak.readings.extend(read(server, start, 0, soak.joined));
    Ok(soak)
}

fn read(server: &Server, start: Instant, people: usize, joined: u64) -> Option<Reading> {
    let memory = server.process.as_ref()?.resident()?;
    Some(Reading { at: start.elapsed().as_secs_f64(), memory_kib: memory as f64 / 1_024.0, people, joined })
}

/// The value of a metric without labels.
fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("salon_")?.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// In percent, of the median of the last quarter over that of the first after the warm-up.
fn growth(readings: &[Reading], seconds: f64) -> Option<f64> {
    let begin = (seconds * WARM_UP).min(WARM_UP_AT_MOST.as_secs_f64());
    let quarter = (seconds - begin) / 4.0;
    let median = |from: f64| {
        let within = readings.iter().filter(|reading| (from..=from + quarter).contains(&reading.at));
        let mut memory: Vec<f64> = within.map(|reading| reading.memory_kib).collect();
        memory.sort_by(f64::total_cmp);
        memory.get(memory.len() / 2).copied()
    };
    Some((median(seconds - quarter)? / median(begin)? - 1.0) * 100.0)
}

/// What people read.
pub fn report(soak: &Soak) -> String {
    let mut out = String::from("      at  people    joins    memory\n");
    let mut next = 0.0;
    for (index, reading) in soak.readings.iter().enumerate() {
        let last = index + 1 == soak.readings.len();
        if reading.at >= next || last {
            next = reading.at + TELL_EVERY.as_secs_f64() - READ_EVERY.as_secs_f64();
            out += &format!(
                "{:>6.0} s  {:>6}  {:>7}  {:>5.1} MiB{}\n",
                reading.at,
                reading.people,
                reading.joined,
                reading.memory_kib / 1_024.0,
                if last { ", all gone" } else { "" }
            );
        }
    }
    out += &format!("\n{} people came and {} left in {:.0} s.\n", soak.joined, soak.left, soak.seconds);
    out += &match soak.growth_percent.zip(soak.is_flat()) {
        Some((growth, flat)) => format!(
            "Memory after the warm-up: {}, {growth:+.1} % from its first quarter to its last (flat is at most {FLAT_PERCENT} %).\n",
            if flat { "flat" } else { "NOT FLAT" }
        ),
        None => "Memory was not measured: the server's process is not known, or the run was too short.\n".to_owned(),
    };
    out += &match soak.left_over[..] {
        [] => "Nothing is left over: no transports, rooms, tracks, sessions, peers or sockets.\n".to_owned(),
        _ => format!("LEFT OVER: {:?}\n", soak.left_over),
    };
    if soak.panics > 0.0 {
        out += &format!("BUGS SHOWED: {} transports ended by a panic.\n", soak.panics);
    }
    if let Some(why) = &soak.last_failure {
        out += &format!("{} meetings were not complete, the last because: {why}\n", soak.failed);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::example;

    fn readings(memory: impl Fn(f64) -> f64) -> Vec<Reading> {
        (0..800).map(|n| Reading { at: f64::from(n), memory_kib: memory(f64::from(n)), people: 4, joined: 9 }).collect()
    }

    fn soak(memory: impl Fn(f64) -> f64) -> Soak {
        let readings = readings(memory);
        let growth_percent = growth(&readings, 800.0);
        Soak {
            plan: example().plan,
            seconds: 800.0,
            joined: 9,
            left: 9,
            failed: 0,
            last_failure: None,
            readings,
            growth_percent,
            left_over: vec![],
            panics: 0.0,
        }
    }

    #[test]
    fn memory_that_fills_up_at_first_and_swings_is_flat_and_a_leak_is_not() {
        let flat = soak(|at| 50_000.0 + at.min(150.0) * 300.0 + (at % 7.0) * 100.0);
        assert_eq!(flat.is_flat(), Some(true), "{:?}", flat.growth_percent);
        let leak = soak(|at| 50_000.0 + at * 20.0);
        assert_eq!(leak.is_flat(), Some(false), "{:?}", leak.growth_percent);
        let text = report(&leak);
        assert!(text.contains("NOT FLAT") && text.contains("Nothing is left over"), "{text}");
        assert!(text.lines().filter(|line| line.ends_with("MiB")).count() >= 13, "a line a minute: {text}");
    }

    #[test]
    fn metrics_are_found_by_their_whole_name() {
        let text = "# HELP salon_media_transports x\nsalon_media_transports_x 4\nsalon_media_transports 3\n";
        assert_eq!(metric(text, "media_transports"), Some(3.0));
        assert_eq!(metric(text, "media_room"), None);
    }
}

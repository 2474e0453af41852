//! `--scenario recording`: people whose pictures and voices are really seen and heard, and a recording of them. What it costs is
//! read from outside, of the processes that the server starts for it.
//! Next: `clip.rs`, what people send.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use salon_peer::sdp::Kind;
use salon_peer::{Identity, Line, Media, Peer};
use serde_json::Value;

use crate::clip::{Clip, Player};
use crate::person::publish;
use crate::plan::Plan;
use crate::process::{Process, Used};
use crate::progress::Progress;
use crate::report::Row;
use crate::server::Server;

/// How often the server is asked how the recording stands.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// A recording that has not come that far by then has failed.
const STANDS_WITHIN: Duration = Duration::from_secs(60);

/// What is wanted of a recording of four in 640x360, in H.264 of 1280x720: cores for all of it, and MiB.
const CORES: f64 = 0.5;
const MEMORY_MIB: f64 = 300.0;
/// How long starting and stopping may take, in milliseconds.
const STARTS_MS: f64 = 2_000.0;
const STOPS_MS: f64 = 5_000.0;

/// What came of it.
pub struct Recorded {
    people: usize,
    starts_ms: f64,
    stops_ms: f64,
    /// Cores of the recorder and of the encoder that it feeds, each by name.
    cores: Vec<(String, f64)>,
    memory_mib: f64,
    /// Cores of the server without and with the recording.
    server: Option<(f64, f64)>,
    /// Seconds for which it recorded, seen from here, and those of the file.
    recorded: f64,
    length: Option<f64>,
    bytes: Option<f64>,
}

/// `plan.shape.publishers` people are in; `plan.settle` passes before each of the two measurements of `plan.window`.
pub async fn run(server: &Server, plan: Plan, progress: &Progress) -> anyhow::Result<Recorded> {
    progress.say("making pictures and sound");
    let clip = Arc::new(tokio::task::spawn_blocking(Clip::make).await??);
    let (door, process) = (&server.door, server.process.as_ref().context("the server's process is not known; give --pid")?);
    let meeting = door.meeting("bench recording").await?;
    let (identity, media) = (Identity::new()?, Media::start("people", Line::default())?);
    let mut people = Vec::new();
    for at in 0..plan.shape.publishers {
        progress.step("joining", at, plan.shape.publishers);
        let peer = Peer::open(&door.address, door.participant(&meeting, &format!("Person {at}")).await?).await?;
        let player = |start| Player::new(clip.clone(), at, start);
        publish(&peer, &identity, &media, &[Kind::Audio, Kind::Video], player).await?;
        people.push(peer);
    }
    progress.say("measuring without a recording");
    tokio::time::sleep(plan.settle).await;
    let without = measure(std::slice::from_ref(process), plan.window).await;

    progress.say("starting the recording");
    let asked = Instant::now();
    let id = door.record(&meeting).await?;
    stands(server, &id, "RECORDING").await?;
    let starts = asked.elapsed();
    let began = Instant::now();
    tokio::time::sleep(plan.settle).await;
    progress.say("measuring the recording");
    let working = process.descendants();
    let names: Vec<String> = working.iter().map(|process| process.name().unwrap_or_default()).collect();
    let all = [std::slice::from_ref(process), &working].concat();
    let shares = measure(&all, plan.window).await;
    let memory: u64 = working.iter().filter_map(Process::resident).sum();

    progress.say("stopping the recording");
    let (asked, recorded) = (Instant::now(), began.elapsed());
    door.stop_recording(&id).await?;
    let done = stands(server, &id, "UPLOADED").await?;
    Ok(Recorded {
        people: people.len(),
        starts_ms: starts.as_secs_f64() * 1_000.0,
        stops_ms: asked.elapsed().as_secs_f64() * 1_000.0,
        cores: names.into_iter().zip(&shares[1..]).filter_map(|(name, share)| Some((name, (*share)?))).collect(),
        memory_mib: memory as f64 / f64::from(1 << 20),
        server: without[0].zip(shares[0]),
        recorded: recorded.as_secs_f64(),
        length: done["recording_duration"].as_f64(),
        bytes: done["file_size"].as_f64(),
    })
}

/// Waits until the recording stands there.
async fn stands(server: &Server, id: &str, wanted: &str) -> anyhow::Result<Value> {
    let since = Instant::now();
    loop {
        let recording = server.door.recording(id).await?;
        match recording["status"].as_str().unwrap_or_default() {
            status if status == wanted => return Ok(recording),
            "ERRORED" => anyhow::bail!("the recording has failed: {}", recording["err_message"]),
            status => anyhow::ensure!(since.elapsed() < STANDS_WITHIN, "the recording stays {status}"),
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The cores that each takes over a while.
async fn measure(processes: &[Process], window: Duration) -> Vec<Option<f64>> {
    let used = || processes.iter().map(Process::used).collect::<Vec<Option<Used>>>();
    let (before, since) = (used(), Instant::now());
    tokio::time::sleep(window).await;
    let (after, passed) = (used(), since.elapsed().as_secs_f64());
    let share = |(after, before): (Option<Used>, Option<Used>)| Some(after?.since(&before?).total().as_secs_f64() / passed);
    after.into_iter().zip(before).map(share).collect()
}

/// What people read.
pub fn rows(recorded: &Recorded) -> Vec<Row> {
    let cores = recorded.cores.iter().map(|(_, cores)| cores).sum();
    let each = recorded.cores.iter().map(|(name, cores)| format!("{name} {cores:.3}")).collect::<Vec<_>>().join(", ");
    let four = recorded.people == 4;
    let recording = Row::new(format!("recording of {}", recorded.people), Some(cores), "cores").note(each);
    let server = recorded.server.map(|(without, with)| with - without);
    let server_note =
        recorded.server.map_or_else(String::new, |(without, with)| format!("{without:.3} without, {with:.3} with it"));
    let bytes = recorded.bytes.map_or_else(String::new, |bytes| format!("{:.2} MB", bytes / 1e6));
    vec![
        if four { recording.at_most(CORES) } else { recording },
        Row::new("server, more than without", server, "cores").note(server_note),
        Row::new("memory of recorder and encoder", Some(recorded.memory_mib), "MiB").at_most(MEMORY_MIB),
        Row::new("start to RECORDING", Some(recorded.starts_ms), "ms").at_most(STARTS_MS),
        Row::new("stop to UPLOADED", Some(recorded.stops_ms), "ms").at_most(STOPS_MS),
        Row::new("length of the file", recorded.length, "s").note(format!("{:.1} s recorded, {bytes}", recorded.recorded)),
    ]
}

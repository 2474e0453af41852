//! `--scenario webhooks`: people come into meetings, by turns with a webhook and without. How soon does its receiver hear of them,
//! and what do joins cost more?
//! Invariant: both are measured on one server, in turns, so that what the machine does besides tells on both.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::Context;
use salon_peer::{Identity, Line, Media};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;

use crate::histogram::Histogram;
use crate::person::Person;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::Row;
use crate::server::Server;
use crate::subscriber::Subscriber;

/// The receiver is on this machine, which is a private network.
pub const SETTING: &str = "webhooks.allow=127.0.0.1/32";

/// Turns, half of them with a webhook. More give medians that are alike from run to run.
const TURNS: usize = 8;
/// An event that has not come by then is lost.
const COMES_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is wanted: at the receiver so many milliseconds after the join was answered, and joins so much longer at most.
const P99_MS: f64 = 200.0;
const LONGER: f64 = 1.05;

/// What came of it.
pub struct Told {
    /// From the answer to a join until the receiver has the whole request.
    delays: Histogram,
    /// From opening a socket until the join is answered and its media connection is there.
    without: Histogram,
    with: Histogram,
}

/// In each turn people come into `plan.shape.meetings` meetings, `plan.shape.publishers` into each, at the pace of the plan.
pub async fn run(server: &Server, plan: Plan, progress: &Progress) -> anyhow::Result<Told> {
    let receiver = Receiver::start().await?;
    let (identity, media) = (Identity::new()?, Media::start("people", Line::default())?);
    let (mut told, mut here) =
        (Told { delays: Histogram::default(), without: Histogram::default(), with: Histogram::default() }, Vec::new());
    for turn in 0..TURNS {
        progress.step("turn", turn, TURNS);
        let with = turn % 2 == 1;
        let webhook = if with { Some(server.door.webhook(&receiver.url).await?) } else { None };
        let came = come(server, plan, (&identity, &media)).await?;
        for Came { person, took, at } in came {
            if with { &mut told.with } else { &mut told.without }.record(took.as_nanos() as u64);
            if with {
                let heard = receiver.hears(person.id()).await.with_context(|| format!("no event of {} came", person.id()))?;
                // It may have come before the answer to the join.
                told.delays.record(heard.saturating_duration_since(at).as_nanos() as u64);
            }
            here.push(person);
        }
        if let Some(webhook) = webhook {
            server.door.delete_webhook(&webhook).await?;
        }
    }
    Ok(told)
}

/// Somebody who has come.
struct Came {
    person: Person,
    took: Duration,
    /// When its join was answered.
    at: Instant,
}

async fn come(server: &Server, plan: Plan, (identity, media): (&Identity, &Media<Subscriber>)) -> anyhow::Result<Vec<Came>> {
    let mut invites = Vec::new();
    for at in 0..plan.shape.meetings {
        let meeting = server.door.meeting(&format!("bench {at}")).await?;
        for at in 0..plan.shape.publishers {
            invites.push(server.door.participant(&meeting, &format!("person-{at}")).await?);
        }
    }
    let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / plan.joins_per_second));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut came = Vec::with_capacity(invites.len());
    for invite in invites {
        pace.tick().await;
        let start = Instant::now();
        let person = Person::open(&server.door.address, invite).await?;
        let at = person.arrive(identity, media).await?;
        came.push(Came { person, took: start.elapsed(), at });
    }
    Ok(came)
}

/// A server that is told.
struct Receiver {
    url: String,
    heard: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Receiver {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let heard = Arc::default();
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(listen(stream, Arc::clone(&hears)));
            }
        });
        Ok(Self { url, heard })
    }

    /// When it was told that this peer has joined.
    async fn hears(&self, peer: &str) -> anyhow::Result<Instant> {
        let since = Instant::now();
        loop {
            if let Some(at) = lock(&self.heard).remove(peer) {
                return Ok(at);
            }
            anyhow::ensure!(since.elapsed() < COMES_WITHIN, "waited for {} s", COMES_WITHIN.as_secs());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn lock(heard: &Mutex<HashMap<String, Instant>>) -> MutexGuard<'_, HashMap<String, Instant>> {
    heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Answers every request of a connection with 200, and notes who has joined.
async fn listen(stream: TcpStream, heard: Arc<Mutex<HashMap<String, Instant>>>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        while stream.read_line(&mut line).await? > 2 {
            let header = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            if let Some((_, value)) = header {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        anyhow::ensure!(length > 0, "the connection has ended");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let at = Instant::now();
        let event: Value = serde_json::from_slice(&body)?;
        if let Some(peer) = event["participant"]["peerId"].as_str() {
            lock(&heard).insert(peer.to_owned(), at);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

/// What people read.
pub fn rows(told: &Told) -> Vec<Row> {
    let ms = |histogram: &Histogram, share: f64| histogram.quantile(share).map(|nanos| nanos as f64 / 1e6);
    let counted = |histogram: &Histogram| format!("{} joins", histogram.count());
    let (without, with) = (ms(&told.without, 0.5), ms(&told.with, 0.5));
    let ratio = with.zip(without).map(|(with, without)| with / without);
    vec![
        Row::new("join answered to receiver told, p50", ms(&told.delays, 0.5), "ms").note(counted(&told.delays)),
        Row::new("join answered to receiver told, p99", ms(&told.delays, 0.99), "ms").at_most(P99_MS),
        Row::new("join without a webhook, p50", without, "ms").note(counted(&told.without)),
        Row::new("join with a webhook, p50", with, "ms").note(counted(&told.with)),
        Row::new("with against without", ratio, "x").at_most(LONGER),
    ]
}

//! `salon bench`: a load generator for the media plane, with real signaling, ICE, DTLS and SRTP, in its own process.
//! Reading order: `plan` (what a run is), `run` (carrying it out), `person` (somebody in it; the crate `peer` is the client),
//! `figures` and `report` (what came of it), `floor` (the least it could cost), `targets`, `calibrate`.
//! Invariant: the server is only ever seen from outside: its doors, its packets, and `/proc`.

mod arguments;
mod calibrate;
mod clip;
mod figures;
mod floor;
mod histogram;
mod person;
mod plan;
mod process;
mod progress;
mod publisher;
mod recording;
mod report;
mod rest;
mod run;
mod server;
mod soak;
mod stamp;
mod subscriber;
mod system;
mod targets;
mod totals;
mod webhooks;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

pub use arguments::{BenchArgs, HELP};

use arguments::Scenario;
use figures::Figures;
use plan::Plan;
use progress::Progress;
use server::Server;

/// Each client has a websocket and a UDP socket, here and at a server that is started by us.
const FILES_PER_CLIENT: u64 = 3;

/// The arguments make no sense together.
#[derive(Debug)]
pub struct Mistake(String);

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}

/// Runs what the arguments ask for; the report for standard output.
///
/// # Errors
/// [`Mistake`] if the arguments make no sense, anything else if the load cannot be carried out.
pub async fn bench(args: BenchArgs) -> anyhow::Result<String> {
    let plan = args.plan().map_err(Mistake)?;
    let files = system::allow_many_files();
    let clients = (plan.shape.meetings * plan.shape.people()) as u64;
    anyhow::ensure!(files > clients * FILES_PER_CLIENT, "{clients} clients need more open files than the {files} allowed here");
    let progress = Progress::new(!args.quiet);
    // Interrupted, what was started still ends with its data.
    let outcome = tokio::select! {
        outcome = run_scenario(&args, plan, &progress) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        () = system::asked_to_end() => Err(anyhow::anyhow!("asked to end")),
    };
    progress.end();
    let (text, json) = outcome?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&json)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(text)
}

async fn run_scenario(args: &BenchArgs, plan: Plan, progress: &Progress) -> anyhow::Result<(String, Value)> {
    let floor = (args.floor > 0.0).then(|| Duration::from_secs_f64(args.floor));
    let bed = Bed::new(args)?;
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let head = format!("salon bench, {build} build, {} cores\n", cores());
    if args.calibrate {
        let server = bed.server(&[]).await?;
        let steps = calibrate::run(&server, plan, progress).await;
        server.stop().await;
        let steps = steps?;
        return Ok((head + &calibrate::report(&steps), json!({ "build": build, "cores": cores(), "calibration": steps })));
    }
    if args.scenario == Scenario::Threads {
        let threads = bed.threads(&plan, progress).await?;
        let rows = [targets::scaling_row(threads.as_ref())];
        let mut text = head + "\n" + &report::table(&rows);
        for (name, figures) in threads.iter().flat_map(targets::Threads::named) {
            report::doubts(figures).iter().for_each(|doubt| text += &format!("\n{name}: {doubt}"));
        }
        return Ok((text + "\n", json!({ "build": build, "cores": cores(), "table": rows, "runs": threads })));
    }
    if args.scenario == Scenario::Table {
        let [few, many, streams, joins] = targets::plans(&plan);
        let runs = targets::Runs {
            few: bed.run(few, floor, progress).await?,
            many: bed.run(many, floor, progress).await?,
            streams: bed.run(streams, None, progress).await?,
            joins: bed.run(joins, None, progress).await?,
            threads: bed.threads(&plan, progress).await?,
        };
        let rows = targets::rows(&runs);
        let mut text = head + "\n" + &report::table(&rows);
        let named = [("1 to 100", &runs.few), ("1 to 500", &runs.many), ("30 streams", &runs.streams), ("joins", &runs.joins)];
        for (name, figures) in named.into_iter().chain(runs.threads.iter().flat_map(targets::Threads::named)) {
            report::doubts(figures).iter().for_each(|doubt| text += &format!("\n{name}: {doubt}"));
        }
        return Ok((text + "\n", json!({ "build": build, "cores": cores(), "table": rows, "runs": runs })));
    }
    if args.scenario == Scenario::Soak {
        progress.begin("soak");
        let server = bed.server(&[]).await?;
        let soak = soak::run(&server, plan, Duration::from_secs_f64(args.stay), progress).await;
        server.stop().await;
        let soak = soak?;
        return Ok((head + &soak::report(&soak), json!({ "build": build, "cores": cores(), "soak": soak })));
    }
    if args.scenario == Scenario::Recording {
        progress.begin("recording");
        let server = bed.server(&[]).await?;
        let recorded = recording::run(&server, plan, progress).await;
        server.stop().await;
        let rows = recording::rows(&recorded?);
        return Ok((head + "\n" + &report::table(&rows), json!({ "build": build, "cores": cores(), "table": rows })));
    }
    if args.scenario == Scenario::Webhooks {
        progress.begin("webhooks");
        let server = bed.server(&[webhooks::SETTING.to_owned()]).await?;
        let told = webhooks::run(&server, plan, progress).await;
        server.stop().await;
        let rows = webhooks::rows(&told?);
        return Ok((head + "\n" + &report::table(&rows), json!({ "build": build, "cores": cores(), "table": rows })));
    }
    let figures = bed.run(("bench", plan), floor, progress).await?;
    let mut text = head + &report::title(&figures) + "\n\n" + &report::table(&report::rows(&figures));
    report::doubts(&figures).iter().for_each(|doubt| text += &format!("\n{doubt}"));
    Ok((text + "\n", json!({ "build": build, "cores": cores(), "figures": figures })))
}

/// Where servers come from: each run has a fresh one, unless one was named.
struct Bed<'a> {
    args: &'a BenchArgs,
    binary: PathBuf,
}

impl<'a> Bed<'a> {
    fn new(args: &'a BenchArgs) -> anyhow::Result<Self> {
        let binary = match &args.server {
            Some(path) => path.clone(),
            None => std::env::current_exe().context("cannot find this binary")?,
        };
        Ok(Self { args, binary })
    }

    /// A server, with more settings than the arguments name if it is started here.
    async fn server(&self, more: &[String]) -> anyhow::Result<Server> {
        let BenchArgs { url, account, app, token, pid, set, .. } = self.args;
        match url {
            Some(url) => Server::at(url, account.clone(), app.clone(), token.clone(), *pid),
            // What was asked for comes last, and wins.
            None if self.args.scenario == Scenario::Soak => {
                let settings = soak::SETTINGS.map(str::to_owned).into_iter().chain([set, more].concat());
                Server::start(Path::new(&self.binary), &settings.collect::<Vec<_>>()).await
            }
            None => Server::start(Path::new(&self.binary), &[set, more].concat()).await,
        }
    }

    async fn run(&self, run: (&str, Plan), floor: Option<Duration>, progress: &Progress) -> anyhow::Result<Figures> {
        self.run_with(&[], run, floor, progress).await
    }

    /// The runs that say how media threads scale; None if the server is not ours to start.
    async fn threads(&self, base: &Plan, progress: &Progress) -> anyhow::Result<Option<targets::Threads>> {
        if self.args.url.is_some() {
            return Ok(None);
        }
        let [one, two] = targets::scaling(base);
        let spread = format!("media.room_per_thread={}", targets::PER_THREAD);
        let run = async |run: (&str, Plan)| self.run_with(&[run.0.to_owned(), spread.clone()], run, None, progress).await;
        Ok(Some(targets::Threads { one: run(one).await?, two: run(two).await? }))
    }

    async fn run_with(
        &self,
        more: &[String],
        (name, plan): (&str, Plan),
        floor: Option<Duration>,
        progress: &Progress,
    ) -> anyhow::Result<Figures> {
        progress.begin(name);
        let server = self.server(more).await?;
        let figures = run::run(&server, plan, floor, progress).await.with_context(|| format!("the run `{name}` failed"));
        server.stop().await;
        figures
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

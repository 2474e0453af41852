//! `salon upgrade`: has the server that runs on a folder become the program that lies where it was started from.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};
use crate::start::notes;

/// How often it is looked what came of it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that is being replaced at this moment seems not to run for so long.
const RUNS_WITHIN: Duration = Duration::from_secs(2);

/// Longer than trying the new program and starting it takes.
const DONE_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct UpgradeArgs {
    /// The folder for everything that is kept, as the server has it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: UpgradeArgs) -> anyhow::Result<()> {
    let UpgradeArgs { data, settings } = args;
    let data = match data {
        Some(data) => data,
        None => Config::load(&settings.sources(Mode::Beside))?.data,
    };
    let before = notes::last(&data).number;
    let process = within(RUNS_WITHIN, || notes::running(&data)).and_then(Pid::from_raw);
    let process = process.with_context(|| format!("no server runs on {}; name its folder with --data", data.display()))?;
    kill_process(process, Signal::USR2).context("the server cannot be signalled")?;
    let outcome = within(DONE_WITHIN, || {
        let last = notes::last(&data);
        (last.number > before).then_some(last)
    });
    match outcome {
        Some(outcome) => match outcome.failed {
            None => print(&format!("process {} runs Salon {} now\n", process.as_raw_nonzero(), outcome.version)),
            Some(why) => bail!("the server runs on as it was: {why}"),
        },
        None if notes::running(&data).is_none() => bail!("the server has stopped; its log says why"),
        None => bail!("the server does not say what came of it within {} s; its log may", DONE_WITHIN.as_secs()),
    }
}

/// The answer, as soon as there is one.
fn within<T>(within: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
    let until = Instant::now() + within;
    loop {
        let found = look();
        if found.is_some() || Instant::now() >= until {
            return found;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

//! `salon drain`: a node begins no more sessions and takes no more people's media, so that it can be stopped when those it has are
//! over.

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;

use super::database::{Missing, beside_servers};
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};

/// How often it is looked how many sessions are left.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct DrainArgs {
    /// The name of the node, as `salon nodes` shows it
    #[arg(value_name = "NODE")]
    node: String,
    /// Let it begin sessions again
    #[arg(long)]
    undo: bool,
    /// Do not wait until its sessions are over
    #[arg(long, conflicts_with = "undo")]
    no_wait: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: DrainArgs) -> anyhow::Result<()> {
    let DrainArgs { node: name, undo, no_wait, settings } = args;
    let config = Config::load(&settings.sources(Mode::Beside))?;
    beside_servers(&config, Missing::Fail, async |store| {
        ensure!(store.is_shared(), "this database is one node's own: there is no other that could begin its sessions");
        ensure!(store.drain_node(&name, !undo).await?, "no node of the name {name:?} that begins sessions runs on this database");
        if undo {
            eprintln!("{name} begins sessions again");
            return Ok(());
        }
        let clock = salon_live::Clock::start();
        let mut told = None;
        loop {
            let nodes = store.nodes(clock.now()).await?;
            let Some(node) = nodes.iter().find(|node| node.name == name) else {
                eprintln!("{name} has stopped");
                return Ok(());
            };
            let left = (node.sessions, node.guests);
            if told.replace(left) != Some(left) {
                let guests = match node.guests {
                    0 => String::new(),
                    guests => format!("; people of other nodes' sessions with their media there: {guests}"),
                };
                eprintln!("{name} begins no more sessions, and has {} left{guests}", node.sessions);
            }
            if left == (0, 0) || no_wait {
                return Ok(());
            }
            if !node.is_draining {
                bail!("{name} was started anew or may begin sessions again: it is not drained any more");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}

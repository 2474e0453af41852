//! `salon preflight`: what a running server starts before it hands over to a new program, to know whether that could begin.
//! Invariant: it opens nothing that it would take from the server that asks, and changes nothing.

use std::ffi::OsString;
use std::io::Read as _;

use anyhow::{Context, ensure};
use clap::Args;

use super::database::{Missing, beside_servers};
use crate::config::Config;
use crate::start::upgrade::{fixed, form};

#[derive(Debug, Args)]
pub(super) struct PreflightArgs {
    /// Of what is handed over
    #[arg(long)]
    form: String,
    /// The arguments with which the server runs
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// `read` makes the settings of a server from its arguments.
pub(super) fn run(args: PreflightArgs, read: impl FnOnce(Vec<OsString>) -> anyhow::Result<Config>) -> anyhow::Result<()> {
    let PreflightArgs { form: theirs, arguments } = args;
    let ours = form();
    ensure!(theirs == ours, "it hands over in another form ({ours}) than the version that runs ({theirs}): restart it instead");
    let config = read(arguments)?;
    let mut running = String::new();
    std::io::stdin().read_to_string(&mut running).context("it is not told how the server runs")?;
    let now = fixed(&config);
    for (was, is) in running.lines().zip(now.lines()) {
        let (key, _) = was.split_once('=').unwrap_or((was, ""));
        ensure!(was == is, "{key} is another in the settings than the server runs with: restart it instead");
    }
    ensure!(
        running.lines().count() == now.lines().count(),
        "it has other settings than the server that runs: restart it instead"
    );
    beside_servers(&config, Missing::Fail, async |store| store.ping().await.context("the database does not answer"))
}

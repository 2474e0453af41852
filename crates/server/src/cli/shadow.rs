//! `salon shadow`: a proxy to try Salon with, which asks the hosted service the same. The doing is in the crate `moving`.
//! Invariant: tokens come from the caller or the environment, and are in no output.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use salon_moving::address::Base;
use salon_moving::hosted::Token;
use salon_moving::shadow::{Plan, Side, Tally, serve};
use tokio::signal::unix::{SignalKind, signal};

use super::import::base;
use super::process::{print, runtime};
use crate::private::keep_to_ourselves;

/// The environment that holds the token for the side that is only compared.
const OTHER_TOKEN: &str = "SALON_SHADOW_TOKEN";

#[derive(Debug, Args)]
pub(super) struct ShadowArgs {
    /// The hosted service, without the path that callers send
    #[arg(long, value_name = "URL", default_value = "https://api.cloudflare.com", value_parser = base)]
    upstream: Base,
    /// Salon, likewise
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787", value_parser = base)]
    salon: Base,
    /// Where to listen; an address of this computer
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8788")]
    listen: SocketAddr,
    /// Whose answers callers are told. It also gets all that is no read
    #[arg(long, value_enum)]
    answer: Answer,
    /// A line of JSON for each answer that differs; it is begun anew
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A key whose values are not compared; may be repeated
    #[arg(long, value_name = "KEY")]
    ignore: Vec<String>,
    /// The largest body, in MiB
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    body_mib: u32,
    /// Requests at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    at_once: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Answer {
    /// Salon's; the hosted service is only compared
    Salon,
    /// The hosted service's; Salon is only compared
    Upstream,
}

pub(super) fn run(args: ShadowArgs) -> anyhow::Result<()> {
    if !args.listen.ip().is_loopback() {
        bail!("--listen must be an address of this computer: whoever reaches the proxy could wear both servers out");
    }
    keep_to_ourselves();
    let told = if args.answer == Answer::Salon { Side::Salon } else { Side::Upstream };
    let lines = args
        .report
        .as_ref()
        .map(|path| std::fs::File::create(path).with_context(|| format!("the report {} cannot be written", path.display())));
    let tally = Arc::new(Tally::new(lines.transpose()?));
    let plan = Plan {
        salon: args.salon,
        upstream: args.upstream,
        told,
        other_token: Token::new(&std::env::var(OTHER_TOKEN).unwrap_or_default()),
        body_bytes: args.body_mib as usize * 1024 * 1024,
        at_once: args.at_once as usize,
        ignore: args.ignore,
    };
    runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await;
        let listener = listener.with_context(|| format!("{} cannot be listened on", args.listen))?;
        let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let name = told.word();
        eprintln!("salon shadow: reads (GET) are asked of both and answered by {name}; everything else goes to {name} only");
        print(&format!("salon ready http://{}\n", listener.local_addr()?))?;
        let stop = async move {
            tokio::select! { _ = int.recv() => {} _ = term.recv() => {} }
        };
        serve(listener, plan, tally.clone(), stop).await
    })?;
    print(&tally.summary())
}

//! `salon import`: brings what was made elsewhere. The doing is in the crate `moving`; here are its arguments and its token.
//! Invariant: the token comes from the environment or a file, never from an argument, which everybody on the computer sees.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use salon_core::{AccountId, AppId};
use salon_moving::address::Base;
use salon_moving::hosted::{Hosted, Token};
use salon_moving::import::{Plan, farewell, import};
use salon_moving::journal::{Before, Journal};

use super::account::account;
use super::database::{Missing, long_beside_servers};
use super::help;
use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};
use crate::private::{keep_to_ourselves, make_folder};

/// The environment that holds the API token.
const TOKEN: &str = "REALTIMEKIT_API_TOKEN";

/// The largest token file.
const MAX_TOKEN: u64 = 16 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Bring apps, presets, meetings and participants from Cloudflare RealtimeKit, with their ids
    #[command(name = "realtimekit", after_help = help::IMPORT_REALTIMEKIT)]
    RealtimeKit(ImportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The account at the service
    #[arg(long, value_name = "ID", value_parser = account)]
    account: AccountId,
    /// The account here; the one of the same id if left out
    #[arg(long, value_name = "ID", value_parser = account)]
    into: Option<AccountId>,
    /// Only this app; may be repeated. All of the account if left out
    #[arg(long, value_name = "ID", value_parser = |text: &str| AppId::parse(text).map_err(|why| why.to_string()))]
    app: Vec<AppId>,
    /// Where the service is
    #[arg(long, value_name = "URL", default_value = "https://api.cloudflare.com/client/v4", value_parser = base)]
    base_url: Base,
    /// The file with the API token, `-` for standard input; else REALTIMEKIT_API_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Store nothing, and say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Make as there what was changed here later than there
    #[arg(long)]
    overwrite: bool,
    /// Where the report goes, and what a run that was cut off goes on from
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Requests to the service in a minute; it allows 700
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    per_minute: u32,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn base(text: &str) -> Result<Base, String> {
    Base::parse(text).map_err(|why| format!("it {why}"))
}

pub(super) fn run(command: ImportCommand) -> anyhow::Result<()> {
    let ImportCommand::RealtimeKit(args) = command;
    let config = Config::load(&args.settings.sources(Mode::Beside))?;
    let token = token(args.token_file.as_deref())?;
    let into = args.into.unwrap_or_else(|| args.account.clone());
    let mut apps: Vec<String> = args.app.iter().map(ToString::to_string).collect();
    apps.sort();
    let what = serde_json::json!({
        "from": args.base_url.to_string(), "account": args.account.as_str(), "into": into.as_str(), "apps": apps,
        "dry_run": args.dry_run, "overwrite": args.overwrite,
    });
    keep_to_ourselves();
    let report = match args.report {
        Some(report) => Some(report),
        // A run that stores nothing has nothing to go on from.
        None if args.dry_run => None,
        None => {
            make_folder(&config.data).with_context(|| format!("the data folder {} cannot be made", config.data.display()))?;
            Some(config.data.join(format!("import-{}.jsonl", args.account)))
        }
    };
    let clock = salon_live::Clock::start();
    let mut journal = match &report {
        Some(path) => Journal::open(path, &what, clock.now())?,
        None => Journal::nowhere(),
    };
    match journal.before {
        Before::Nothing => {}
        Before::GoneOn => eprintln!(
            "salon: going on with an import that was cut off; what it had finished is not read again: run this once more for \
             what changed there since"
        ),
        Before::TooOld => eprintln!("salon: the import that was cut off began more than an hour ago; all is read anew"),
    }
    let keep_alive = config.rest_settings().keep_alive;
    let plan = Plan { into, apps: args.app, dry_run: args.dry_run, overwrite: args.overwrite, keep_alive };
    let missing = if args.dry_run { Missing::Fail } else { Missing::Make };
    let outcome = long_beside_servers(&config, missing, async |store| {
        let mut hosted = Hosted::new(args.base_url, args.account.as_str(), &token, args.per_minute)?;
        let outcome = import(store, &mut hosted, &mut journal, &plan, || clock.now()).await;
        eprintln!("salon: {} requests", hosted.requests);
        outcome
    });
    print(&journal.summary(plan.dry_run))?;
    if let Some(report) = &report {
        eprintln!("salon: each thing is in {}", report.display());
    }
    outcome?;
    print(&farewell(clock.now()))?;
    match (journal.refused(), journal.short()) {
        (0, 0) => Ok(()),
        (some, 0) => bail!("{some} things could not be brought; the rest is here"),
        (_, short) => bail!("{short} lists could not be read to their end: run this again"),
    }
}

/// The API token.
fn token(file: Option<&Path>) -> anyhow::Result<Token> {
    let text = match file {
        Some(path) => {
            let mut text = String::new();
            let read = match path.to_str() {
                Some("-") => std::io::stdin().take(MAX_TOKEN).read_to_string(&mut text),
                _ => std::fs::File::open(path).and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text)),
            };
            read.with_context(|| format!("the token cannot be read from {}", path.display()))?;
            text
        }
        None => std::env::var(TOKEN).unwrap_or_default(),
    };
    Token::new(&text).with_context(|| format!("there is no API token: put it into {TOKEN}, or name its file with --token-file"))
}

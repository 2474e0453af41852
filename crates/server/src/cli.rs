//! The command line: what each command takes, and what its help teaches.
//! Owns the process around a node: its runtime, its log, its exit code. Answers go to standard output, all else to
//! standard error.
//! Invariant: exit code 2 is a mistake in what was asked for (arguments, settings), 1 a failure while doing it.
//! Next: `cli/settings.rs`, then a file per family of commands.

mod account;
mod app;
mod audit;
mod database;
mod drain;
mod erase;
mod help;
mod import;
mod nodes;
mod preflight;
mod process;
mod session;
mod settings;
mod shadow;
mod token;
mod upgrade;

use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use salon_core::event::RecordingKind;
use salon_handover::Received;

use crate::config::{Config, ConfigErrors, DEV_ACCOUNT, DEV_APP, DEV_TOKEN, Mode, effective};
use crate::private::keep_to_ourselves;
use app::AppCommand;
use audit::AuditCommand;
use drain::DrainArgs;
use import::ImportCommand;
use process::{print, runtime};
use session::SessionCommand;
use settings::{DevArgs, SettingsArgs};
use shadow::ShadowArgs;
use token::TokenCommand;

/// An open, self-hosted meetings server that speaks the language of Cloudflare RealtimeKit.
#[derive(Debug, Parser)]
#[command(name = "salon", version, after_help = help::SALON, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try Salon on this computer: an account with a known token, and nothing to set up
    #[command(after_help = help::DEV)]
    Dev(DevArgs),
    /// Run a server
    #[command(after_help = help::SERVE)]
    Serve(SettingsArgs),
    /// Make, list and revoke the API tokens of accounts
    #[command(subcommand, after_help = help::TOKEN)]
    Token(TokenCommand),
    /// Make and list the apps of accounts: the walls between their meetings
    #[command(subcommand, after_help = help::APP)]
    App(AppCommand),
    /// Check the log of who did what
    #[command(subcommand, after_help = help::AUDIT)]
    Audit(AuditCommand),
    /// End a session that nobody can
    #[command(subcommand, after_help = help::SESSION)]
    Session(SessionCommand),
    /// Take a person out of everything that is kept of an app
    #[command(after_help = help::ERASE)]
    Erase(erase::EraseArgs),
    /// Bring what was made at another service
    #[command(subcommand, after_help = help::IMPORT)]
    Import(ImportCommand),
    /// Answer from Salon or another service, ask both, and report what differs
    #[command(after_help = help::SHADOW)]
    Shadow(ShadowArgs),
    /// Show the nodes that share a database: which live, how many sessions each has, what it took over last
    #[command(after_help = help::NODES)]
    Nodes(SettingsArgs),
    /// Have a node begin no more sessions, and wait until it has none
    #[command(after_help = help::DRAIN)]
    Drain(DrainArgs),
    /// Have a running server become the program that lies where it was started from, without ending a call
    #[command(after_help = help::UPGRADE)]
    Upgrade(upgrade::UpgradeArgs),
    /// Try whether this program could go on with a running server, as that asks before it hands over
    #[command(hide = true)]
    Preflight(preflight::PreflightArgs),
    /// Make the tables of the database, or bring them up to date
    #[command(after_help = help::MIGRATE)]
    Migrate(SettingsArgs),
    /// Show the settings in effect and where each comes from, or what is wrong with them
    #[command(after_help = help::CHECK_CONFIG)]
    CheckConfig(CheckArgs),
    /// Load a server with people who publish and watch, and measure what it costs
    #[command(after_help = salon_bench::HELP)]
    Bench(Box<salon_bench::BenchArgs>),
    /// Record a meeting, as a server's helper: the job comes on standard input
    #[command(hide = true, after_help = salon_recorder::HELP)]
    Recorder(RecorderCommand),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// As the settings of a worker (`salon recorder --worker`), not of a server
    #[arg(long)]
    worker: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
struct RecorderCommand {
    /// Be a worker: a node that has no sessions, and records those of all others that share its database
    #[arg(long)]
    worker: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    job: salon_recorder::RecorderArgs,
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    let handed = match salon_handover::received() {
        None => None,
        Some(Ok(handed)) => Some(handed),
        Some(Err(error)) => {
            eprintln!("salon: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = match handed {
        // Ends the process itself for mistakes and for --help.
        None => run(Cli::parse().command),
        Some(handed) => begin_again(handed),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => match err.downcast_ref::<ConfigErrors>() {
            Some(errors) => {
                for error in &errors.0 {
                    eprintln!("salon: {error}");
                }
                ExitCode::from(2)
            }
            None => {
                eprintln!("salon: {err:#}");
                let mistake = err.is::<salon_bench::Mistake>() || err.is::<salon_recorder::Mistake>();
                if mistake { ExitCode::from(2) } else { ExitCode::FAILURE }
            }
        },
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Dev(args) => {
            let config = Config::load(&args.sources())?;
            eprintln!("salon dev: account {DEV_ACCOUNT}, app {DEV_APP}, API token {DEV_TOKEN}; for this computer only");
            serve(config, &mut None)
        }
        Command::Serve(args) => serve(Config::load(&args.sources(Mode::Serve))?, &mut None),
        Command::Token(command) => token::run(command),
        Command::App(command) => app::run(command),
        Command::Audit(command) => audit::run(command),
        Command::Session(command) => session::run(command),
        Command::Erase(args) => erase::run(args),
        Command::Import(command) => import::run(command),
        Command::Shadow(args) => shadow::run(args),
        Command::Nodes(args) => nodes::run(args),
        Command::Drain(args) => drain::run(args),
        Command::Upgrade(args) => upgrade::run(args),
        Command::Preflight(args) => preflight::run(args, settings_of),
        Command::Migrate(args) => database::migrate(&Config::load(&args.sources(Mode::Beside))?),
        Command::CheckConfig(args) => {
            let mode = if args.worker { Mode::Worker } else { Mode::Serve };
            let (config, origins) = Config::load_with_origins(&args.settings.sources(mode))?;
            print(&effective(&config, &origins))?;
            for advice in config.advice() {
                eprintln!("salon: {advice}");
            }
            if let Err(why) = salon_recordings::can(&config.recordings_settings(config.listen, None), RecordingKind::Composite) {
                eprintln!("salon: {why}");
            }
            if config.recording.workers_only && !args.worker {
                eprintln!(
                    "salon: this node records nothing itself (recording.workers_only): `salon recorder --worker` does, elsewhere"
                );
            }
            if let Some(why) = config.missing_engine() {
                eprintln!("salon: {why}");
            }
            Ok(())
        }
        Command::Recorder(args) if args.worker => serve(Config::load(&args.settings.sources(Mode::Worker))?, &mut None),
        Command::Recorder(args) => {
            // Whatever the server that started it holds back.
            salon_handover::await_signals();
            salon_recorder::record(&args.job)
        }
        Command::Bench(args) => print(&runtime()?.block_on(salon_bench::bench(*args))?),
    }
}

/// The settings of a server with these arguments.
fn settings_of(arguments: Vec<OsString>) -> anyhow::Result<Config> {
    let parsed = Cli::try_parse_from([OsString::from("salon")].into_iter().chain(arguments));
    match parsed.map_err(|error| anyhow::anyhow!("it does not take the arguments: {error}"))?.command {
        Command::Dev(args) => Ok(Config::load(&args.sources())?),
        Command::Serve(args) => Ok(Config::load(&args.sources(Mode::Serve))?),
        _ => anyhow::bail!("only `salon dev` and `salon serve` are handed over"),
    }
}

/// Goes on with a server of another program, in whose process this is. If that cannot be, the other has it back.
fn begin_again(handed: Received) -> anyhow::Result<()> {
    let mut handed = Some(handed);
    let begun = || serve(settings_of(std::env::args_os().skip(1).collect())?, &mut handed);
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(begun));
    let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("a bug ended it")));
    match (outcome, handed) {
        // Whoever came back has been tried already.
        (Err(why), Some(handed)) if handed.came_back.is_none() => {
            let error = handed.give_back(&format!("{why:#}"));
            Err(why.context(format!("the program before cannot be executed: {error}")))
        }
        (outcome, _) => outcome,
    }
}

/// Runs a server. `handed` is taken when it cannot be given back any more.
fn serve(config: Config, handed: &mut Option<Received>) -> anyhow::Result<()> {
    crate::telemetry::init_logs(&config.log)?;
    keep_to_ourselves();
    let runtime = runtime()?;
    let outcome = runtime.block_on(crate::start::run(config, handed));
    // What still runs in the background has had its time to finish.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

//! `salon session`: what only an operator can do about a session.

use anyhow::anyhow;
use clap::Subcommand;
use salon_core::SessionId;
use salon_store::{Error, Rule};

use super::audit::by_operator;
use super::database::{Missing, with_store};
use super::help;
use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};
use salon_doors::rfc3339::rfc3339;

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// End a live session, also one whose record cannot be read
    #[command(after_help = help::SESSION_END)]
    End {
        /// The id of the session
        #[arg(value_name = "SESSION", value_parser = session)]
        session: SessionId,
        #[command(flatten)]
        settings: SettingsArgs,
    },
}

fn session(text: &str) -> Result<SessionId, String> {
    SessionId::parse(text).map_err(|err| err.to_string())
}

pub(super) fn run(command: SessionCommand) -> anyhow::Result<()> {
    match command {
        SessionCommand::End { session, settings } => {
            let config = Config::load(&settings.sources(Mode::Beside))?;
            let ended_at = with_store(&config, Missing::Fail, async |store| {
                let now = salon_live::Clock::start().now();
                let ending = store.end_session(&session, now);
                let ended = by_operator("session end", None, None, &[("session", session.as_str())], ending).await;
                ended.map_err(|error| match error {
                    Error::NotFound => anyhow!("there is no session {session}"),
                    Error::Conflict(Rule::SessionEnded) => anyhow!("the session {session} is over already"),
                    error => error.into(),
                })
            })?;
            print(&format!("the session {session} ended at {}\n", rfc3339(ended_at)))
        }
    }
}

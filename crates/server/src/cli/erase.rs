//! `salon erase`: takes a person out of what is kept.

use anyhow::bail;
use clap::Args;
use salon_core::{AppId, ParticipantId};
use salon_store::{Erased, Person};

use super::audit::by_operator;
use super::database::{Missing, with_store};
use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};

#[derive(Debug, Args)]
pub(super) struct EraseArgs {
    /// The id of the app
    #[arg(long, value_name = "APP", value_parser = |text: &str| AppId::parse(text).map_err(|why| why.to_string()))]
    app: AppId,
    /// Whoever has or had this id of yours
    #[arg(long, value_name = "ID", required_unless_present = "participant_id", conflicts_with = "participant_id")]
    custom_participant_id: Option<String>,
    /// One participant
    #[arg(long, value_name = "ID", value_parser = |text: &str| ParticipantId::parse(text).map_err(|why| why.to_string()))]
    participant_id: Option<ParticipantId>,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: EraseArgs) -> anyhow::Result<()> {
    let person = match (args.custom_participant_id, args.participant_id) {
        (_, Some(id)) => Person::Participant(id),
        (custom, None) => Person::Custom(custom.unwrap_or_default()),
    };
    let config = Config::load(&args.settings.sources(Mode::Beside))?;
    let erased = with_store(&config, Missing::Fail, async |store| {
        let now = salon_live::Clock::start().now();
        Ok(by_operator("erase", None, Some(args.app.clone()), &[], store.erase(&args.app, &person, now)).await?)
    })?;
    match erased {
        Erased::Done(done) => print(&format!(
            "erased: {} participants, {} sessions, {} messages, {} files, {} recordings of their voice\n",
            done.participants.len(),
            done.sessions,
            done.messages,
            done.files,
            done.voices
        )),
        Erased::Nobody => bail!("nobody is known under this id in app {}", args.app),
        Erased::Live(meeting) => bail!("meeting {meeting} is live and knows this person; end its session and try again"),
        Erased::Storing(meeting) => {
            bail!("a recording of voices in meeting {meeting} is being stored; have the server finish that and try again")
        }
        Erased::Indexing => {
            bail!("sessions of an earlier version are not indexed yet; start the server and try again in a minute")
        }
    }
}

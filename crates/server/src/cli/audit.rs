//! `salon audit`: whether the audit log is as it was written. And what commands say of themselves there.

use std::future::Future;

use anyhow::{Context, bail};
use clap::Subcommand;
use salon_core::{AccountId, AppId};
use salon_store::acting::{Act, Acting, By, Outcome};
use salon_store::{Chain, Store};

use super::account::account;
use super::database::{Missing, beside_servers};
use super::help;
use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check that no entry of the audit log was changed, taken out or put in
    #[command(after_help = help::AUDIT_VERIFY)]
    Verify {
        /// The account; all of them if left out
        #[arg(long, value_name = "ID", value_parser = account)]
        account: Option<AccountId>,
        #[command(flatten)]
        settings: SettingsArgs,
    },
}

pub(super) fn run(command: AuditCommand) -> anyhow::Result<()> {
    let AuditCommand::Verify { account, settings } = command;
    let config = Config::load(&settings.sources(Mode::Beside))?;
    let (told, broken) = beside_servers(&config, Missing::Fail, async |store| verify(store, account.clone()).await)?;
    print(&told)?;
    if broken > 0 {
        bail!("the audit log is not as it was written");
    }
    Ok(())
}

/// A line for each account, and how many chains are broken.
async fn verify(store: &Store, account: Option<AccountId>) -> anyhow::Result<(String, usize)> {
    let accounts = match account {
        Some(account) => vec![account],
        None => store.audited_accounts().await.context("the audit log cannot be read")?,
    };
    let (mut told, mut broken) = (String::new(), 0);
    for account in accounts {
        match store.verify_audit_log(&account).await.context("the audit log cannot be read")? {
            Chain::Whole { entries, head } => {
                let head = hex::encode(head);
                told += &format!("{account}  {entries} entries  whole  {head}\n");
            }
            Chain::Broken { at, why } => {
                broken += 1;
                told += &format!("{account}  entry {at}  broken: {why}\n");
            }
        }
    }
    Ok((told, broken))
}

/// Runs what a command does in the name of whoever runs it.
pub(super) async fn by_operator<T>(
    command: &str,
    account: Option<AccountId>,
    app: Option<AppId>,
    subjects: &[(&str, &str)],
    doing: impl Future<Output = T>,
) -> T {
    let act = Act {
        account,
        app,
        by: By::Operator,
        what: format!("salon {command}"),
        subjects: subjects.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect(),
        from: None,
        at: salon_live::Clock::start().now(),
        outcome: Outcome::Done,
    };
    Acting::new(act).scope(doing).await
}

//! `salon app`: the apps of an account, without a call over REST.

use anyhow::{Context, anyhow};
use clap::Subcommand;
use salon_core::{AccountId, name};
use salon_doors::flows::new_app::{MAX_NAME_CHARS, new_app};
use salon_doors::rfc3339::rfc3339;
use salon_store::{App, Error, MAX_PAGE, Page, Rule, Store};

use super::account::account;
use super::audit::by_operator;
use super::database::{Missing, beside_servers};
use super::help;
use super::process::print;
use super::settings::SettingsArgs;
use crate::config::{Config, Mode};

#[derive(Debug, Subcommand)]
pub(super) enum AppCommand {
    /// Make an app with the default presets in it, and print its id
    #[command(after_help = help::APP_CREATE)]
    Create {
        /// What it is called, 128 characters at most
        #[arg(value_name = "NAME", value_parser = app_name)]
        name: String,
        /// The account it belongs to
        #[arg(long, value_name = "ID", value_parser = account)]
        account: AccountId,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// List the apps of an account
    #[command(after_help = help::APP_LIST)]
    List {
        /// The account
        #[arg(long, value_name = "ID", value_parser = account)]
        account: AccountId,
        #[command(flatten)]
        settings: SettingsArgs,
    },
}

fn app_name(text: &str) -> Result<String, String> {
    let name = name::checked(text).map_err(|fault| format!("it {fault}"))?;
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(format!("it must not be longer than {MAX_NAME_CHARS} characters"));
    }
    Ok(name.to_owned())
}

pub(super) fn run(command: AppCommand) -> anyhow::Result<()> {
    match command {
        AppCommand::Create { name, account, settings } => {
            let config = Config::load(&settings.sources(Mode::Beside))?;
            let now = salon_live::Clock::start().now();
            let app = beside_servers(&config, Missing::Make, async |store| {
                let making = new_app(store, account.clone(), name.clone(), now);
                let made = by_operator("app create", Some(account.clone()), None, &[], making).await;
                made.map_err(|error| match error {
                    Error::Conflict(Rule::AppName) => {
                        anyhow!("account {account} has an app called {name:?}: `salon app list --account {account}` shows its id")
                    }
                    error => anyhow::Error::new(error).context("the app cannot be stored"),
                })
            })?;
            eprintln!("An app for account {account}. Its id:");
            print(&format!("{}\n", app.id))
        }
        AppCommand::List { account, settings } => {
            let config = Config::load(&settings.sources(Mode::Beside))?;
            let apps = beside_servers(&config, Missing::Fail, async |store| apps(store, &account).await)?;
            if apps.is_empty() {
                eprintln!("Account {account} has no apps. `salon app create NAME --account {account}` makes one.");
            }
            print(&apps.iter().map(line).collect::<String>())
        }
    }
}

/// All apps of an account, newest first.
async fn apps(store: &Store, account: &AccountId) -> anyhow::Result<Vec<App>> {
    let mut apps: Vec<App> = Vec::new();
    loop {
        let page = Page { offset: apps.len() as u64, limit: MAX_PAGE, ..Page::default() };
        let part = store.apps(account, None, &page).await.context("the apps cannot be read")?;
        if part.items.is_empty() {
            return Ok(apps);
        }
        apps.extend(part.items);
    }
}

fn line(app: &App) -> String {
    // Escaped: what someone wrote must not move the cursor of who reads it.
    format!("{}  {}  {}\n", app.id, rfc3339(app.created_at), app.name.escape_debug())
}

//! The database as commands use it: opened without a node around it, and brought up to date.

use anyhow::{Context, anyhow, bail};
use salon_store::{Error, OpenOptions, Store};

use super::process::{print, runtime};
use crate::config::Config;
use crate::private::{keep_to_ourselves, make_folder};

/// Whether a command makes a database that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    /// One that only looks would find nothing in a new one, and hide that the wrong place was named.
    Fail,
}

/// Runs `act` on the open and up-to-date database.
pub(super) fn with_store<T>(
    config: &Config,
    missing: Missing,
    act: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    keep_to_ourselves();
    runtime()?.block_on(async {
        let store = open(config, missing).await?;
        let outcome = act(&store).await;
        store.close().await;
        outcome
    })
}

async fn open(config: &Config, missing: Missing) -> anyhow::Result<Store> {
    if config.database.url.is_empty() {
        let file = config.data.join("salon.db");
        if missing == Missing::Fail && !file.exists() {
            bail!(
                "there is no database at {}: name its folder with --set data=DIR, or its settings with --config",
                file.display()
            );
        }
        make_folder(&config.data).with_context(|| format!("the data folder {} cannot be made", config.data.display()))?;
    }
    let options = OpenOptions {
        url: config.database_url(),
        durable: config.database.durable,
        max_connections: config.database.max_connections,
    };
    let store = Store::open(&options).await.map_err(|err| match err {
        Error::DatabaseInUse(_) => anyhow!("{err}: stop that one first, or use Postgres, which many may open"),
        err => anyhow::Error::new(err).context("the database cannot be opened; see database.url"),
    })?;
    store.migrate().await.context("the tables cannot be brought up to date")?;
    Ok(store)
}

/// Makes the tables, or brings them up to date.
pub(super) fn migrate(config: &Config) -> anyhow::Result<()> {
    with_store(config, Missing::Make, async |_| Ok(()))?;
    let place = if config.database.url.is_empty() { config.database_url() } else { config.database.url.masked() };
    print(&format!("the database {place} is up to date\n"))
}

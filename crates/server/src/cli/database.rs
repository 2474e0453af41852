//! The database as commands use it: opened without a node around it, and brought up to date.

use anyhow::{Context, bail};
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

/// Runs `act` on the open and up-to-date database, which no server has open if it is a SQLite file.
pub(super) fn with_store<T>(
    config: &Config,
    missing: Missing,
    act: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    on_store(open(config, missing), act)
}

/// Runs `act` on the open database, also beside a server that has it open. `act` does no more than
/// [`Store::open_beside`] allows.
pub(super) fn beside_servers<T>(
    config: &Config,
    missing: Missing,
    act: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let opened = async {
        match open(config, missing).await {
            Err(error) if matches!(error.downcast_ref(), Some(Error::DatabaseInUse(_))) => {
                Store::open_beside(&options(config)).await.context(CANNOT_OPEN)
            }
            opened => opened,
        }
    };
    on_store(opened, act)
}

/// The same for what takes long: a server may start and stop meanwhile.
pub(super) fn long_beside_servers<T>(
    config: &Config,
    missing: Missing,
    act: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    beside_servers(config, missing, async |_| Ok(()))?;
    on_store(async { Store::open_beside(&options(config)).await.context(CANNOT_OPEN) }, act)
}

fn on_store<T>(
    opened: impl Future<Output = anyhow::Result<Store>>,
    act: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    keep_to_ourselves();
    runtime()?.block_on(async {
        let store = opened.await?;
        let outcome = act(&store).await;
        store.close().await;
        outcome
    })
}

const CANNOT_OPEN: &str = "the database cannot be opened; see database.url";

fn options(config: &Config) -> OpenOptions {
    OpenOptions { url: config.database_url(), durable: config.database.durable, max_connections: config.database.max_connections }
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
    let store = Store::open(&options(config)).await.map_err(|error| match error {
        Error::DatabaseInUse(_) => anyhow::Error::new(error),
        error => anyhow::Error::new(error).context(CANNOT_OPEN),
    })?;
    store.migrate().await.context("the tables cannot be brought up to date")?;
    Ok(store)
}

/// Makes the tables, or brings them up to date.
pub(super) fn migrate(config: &Config) -> anyhow::Result<()> {
    with_store(config, Missing::Make, async |_| Ok(()))?;
    print(&format!("the database {} is up to date\n", config.database_shown()))
}

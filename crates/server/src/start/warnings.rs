//! What is worth a word when a node starts: doors that stand open to more than those they are for, and settings that are a
//! mistake in many places.

use salon_doors::keys::digest;
use salon_store::Store;

use crate::config::{Config, DEV_TOKEN, Mode};
use crate::private::is_open;

/// Tells them to the log.
pub async fn tell(config: &Config, store: &Store) -> anyhow::Result<()> {
    let mut places = vec![config.data.clone(), config.recordings_folder()];
    places.extend(config.database_url().strip_prefix("sqlite:").map(Into::into));
    places.extend(config.files_settings().place.folder().map(Into::into));
    // What lies in a folder that is closed is closed too.
    let beside_data = |place: &&std::path::PathBuf| **place == config.data || !place.starts_with(&config.data);
    for place in places.iter().filter(beside_data).filter(|place| is_open(place)) {
        tracing::warn!(path = %place.display(), "other users of this computer can open what Salon keeps; `chmod go= PATH` ends that");
    }
    if config.mode == Mode::Serve && store.api_key(&digest(DEV_TOKEN)).await?.is_some() {
        tracing::warn!(
            "the API token of `salon dev`, which everybody knows, opens this server, because its database was one of \
             `salon dev`; `salon token list` and `salon token revoke` with `--account dev` end that"
        );
    }
    for advice in config.advice() {
        tracing::warn!("{advice}");
    }
    Ok(())
}

//! Sessions that an earlier version wrote, or one that runs beside this one, are indexed by their people.
//! One at a time, the newest first, so that nobody waits long for the database; nothing is missing meanwhile but from what only
//! the index knows. Next: `salon_store::Store::index_next`.

use std::time::Duration;

use salon_store::Store;
use tokio_util::sync::CancellationToken;

/// How long there is nothing to do once everything is indexed.
const IDLE: Duration = Duration::from_secs(30);

/// Between two sessions: what else writes goes first.
const BETWEEN: Duration = Duration::from_millis(2);

/// Indexes what is not, until the node stops.
pub async fn index_people(store: Store, stop: CancellationToken) {
    let mut pause = Duration::ZERO;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = match store.index_next().await {
            Ok(true) => BETWEEN,
            Ok(false) => IDLE,
            Err(error) => {
                tracing::warn!(%error, "cannot index the people of earlier sessions; trying again");
                IDLE
            }
        };
    }
}

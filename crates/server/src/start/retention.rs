//! Sweeps away what is older than the settings let it be: sessions with their records, and what was measured in calls.
//! Invariant: every step is small and a transaction of its own, so a node that dies in between leaves nothing that the next
//! sweep of any node does not finish; what cannot be deleted holds nothing else up.
//! Next: `salon_store::retention`, the steps.

use std::time::Duration;

use salon_core::Timestamp;
use salon_store::acting::{Act, Acting, By, Outcome};
use salon_store::{OldSession, Store};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// How often it is looked. Rarer keeps old things longer.
const EVERY: Duration = Duration::from_secs(600);

/// Sessions looked up in one go.
const BATCH: u32 = 100;

const DAY_MS: i64 = 86_400_000;

/// For how many days what is kept; 0: for good.
#[derive(Debug, Clone, Copy, Default)]
pub struct Days {
    pub sessions: u32,
    pub quality: u32,
}

impl Days {
    pub fn of(config: &Config) -> Self {
        Self { sessions: config.retention.sessions_days, quality: config.retention.quality_days }
    }
}

/// Sweeps until the node stops.
pub async fn sweep(store: Store, days: Days, now: impl Fn() -> Timestamp, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        match stop.run_until_cancelled(once(&store, days, now())).await {
            None | Some(Ok(0)) => {}
            Some(Ok(left)) => tracing::warn!(sessions = left, "old sessions cannot be deleted; it is tried again later"),
            Some(Err(error)) => tracing::warn!(%error, "old sessions cannot be looked for right now"),
        }
    }
}

/// Deletes everything that is too old at `now`; several nodes may do so at once. Answers with how many sessions could not be
/// deleted: they keep no other, and the next sweep tries again.
///
/// # Errors
/// The store does not answer.
pub async fn once(store: &Store, days: Days, now: Timestamp) -> salon_store::Result<usize> {
    let before = |days: u32| (days > 0).then(|| now.plus_ms(-i64::from(days) * DAY_MS));
    let mut left = 0;
    // What a sweep that was cut off has left, also where nothing is to go any more.
    for session in store.buried_sessions().await? {
        left += usize::from(clear(store, &session).await.is_err());
    }
    if let Some(before) = before(days.sessions) {
        let mut after: Option<OldSession> = None;
        loop {
            let old = store.old_sessions(before, after.as_ref(), BATCH).await?;
            for old in &old {
                if let Err(error) = delete(store, old, now).await {
                    tracing::debug!(session.id = old.session, %error, "a session cannot be deleted");
                    left += 1;
                }
            }
            let is_last = old.len() < BATCH as usize;
            after = old.into_iter().last();
            if is_last {
                break;
            }
        }
    }
    if let Some(before) = before(days.quality) {
        while !store.clear_quality(before).await? {}
    }
    Ok(left)
}

async fn delete(store: &Store, old: &OldSession, now: Timestamp) -> salon_store::Result<()> {
    let act = Act {
        account: None,
        app: old.app.clone(),
        by: By::Salon,
        what: "retention of sessions".to_owned(),
        subjects: Vec::new(),
        from: None,
        at: now,
        outcome: Outcome::Done,
    };
    if Acting::new(act).scope(store.bury_session(old)).await? {
        clear(store, &old.session).await?;
    }
    Ok(())
}

async fn clear(store: &Store, session: &str) -> salon_store::Result<()> {
    while !store.clear_buried(session).await? {}
    Ok(())
}

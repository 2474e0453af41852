//! Sweeps away what is older than the settings let it be: sessions with their records, what was said in them, and what was
//! measured in calls.
//! Invariant: every step is small and a transaction of its own, so a node that dies in between leaves nothing that the next
//! sweep of any node does not finish; what cannot be deleted holds nothing else up.
//! Next: `salon_store::retention`, the steps.

use std::time::Duration;

use salon_core::Timestamp;
use salon_store::acting::{Act, Acting, By, Outcome};
use salon_store::{DAY_MS, OldSession, Store};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// How often it is looked. Rarer keeps old things longer.
const EVERY: Duration = Duration::from_secs(600);

/// Sessions looked up in one go.
const BATCH: u32 = 100;

/// For how many days what is kept; 0: for good.
#[derive(Debug, Clone, Copy, Default)]
pub struct Days {
    pub sessions: u32,
    pub chat: u32,
    pub quality: u32,
    pub entrance: u32,
}

impl Days {
    pub fn of(config: &Config) -> Self {
        let retention = &config.retention;
        Self {
            sessions: retention.sessions_days,
            chat: retention.chat_days,
            quality: retention.quality_days,
            entrance: retention.entrance_days,
        }
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
    for (what, days) in [(Old::Sessions, days.sessions), (Old::Chats, days.chat)] {
        if let Some(before) = before(days) {
            left += each(store, what, before, now).await?;
        }
    }
    if let Some(before) = before(days.sessions) {
        while !store.clear_livestream_sessions(before).await? {}
    }
    if let Some(before) = before(days.quality) {
        while !store.clear_quality(before).await? {}
    }
    if let Some(before) = before(days.entrance) {
        while !store.clear_entrance(before).await? {}
    }
    Ok(left)
}

/// What of sessions is too old.
#[derive(Clone, Copy)]
enum Old {
    Sessions,
    Chats,
}

/// Sweeps all that is so old; answers with of how many sessions it could not be.
async fn each(store: &Store, what: Old, before: Timestamp, now: Timestamp) -> salon_store::Result<usize> {
    let (mut left, mut after) = (0, None::<OldSession>);
    loop {
        let old = match what {
            Old::Sessions => store.old_sessions(before, after.as_ref(), BATCH).await?,
            Old::Chats => store.sessions_with_old_chat(before, after.as_ref(), BATCH).await?,
        };
        for old in &old {
            let swept = match what {
                Old::Sessions => delete(store, old, now).await,
                Old::Chats => Acting::new(act("retention of chat", old, now)).scope(store.clear_chat(old)).await,
            };
            if let Err(error) = swept {
                tracing::debug!(session.id = old.session, %error, "a session cannot be swept");
                left += 1;
            }
        }
        if old.len() < BATCH as usize {
            return Ok(left);
        }
        after = old.into_iter().last();
    }
}

fn act(what: &str, old: &OldSession, now: Timestamp) -> Act {
    Act {
        account: None,
        app: old.app.clone(),
        by: By::Salon,
        what: what.to_owned(),
        subjects: Vec::new(),
        from: None,
        at: now,
        outcome: Outcome::Done,
    }
}

async fn delete(store: &Store, old: &OldSession, now: Timestamp) -> salon_store::Result<()> {
    if Acting::new(act("retention of sessions", old, now)).scope(store.bury_session(old)).await? {
        clear(store, &old.session).await?;
    }
    Ok(())
}

async fn clear(store: &Store, session: &str) -> salon_store::Result<()> {
    while !store.clear_buried(session).await? {}
    Ok(())
}

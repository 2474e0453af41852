//! What is kept of the quality of people's calls after they are over: sums and samples for each peer of a session.
//! A task looks at all calls of this node every few seconds, adds up, and saves: once in a while, when a peer has gone, and
//! when the node stops. Invariant: what was saved is never lost; a crash loses what came since the last time.
//! Next: `sums.rs` adds up, the REST door tells it as the contract has it.

mod sums;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use salon_core::{PeerId, SessionId, Timestamp};
use salon_media::Owners;
use salon_sfu::LineQuality;
use salon_store::Store;
use tokio_util::sync::CancellationToken;

pub use self::sums::{Role, Sample, Sum, Sums, Values};
use salon_live::Clock;
use salon_live::Hub;

/// How often all calls are looked at. Lower sees shorter troubles, higher costs the media thread less: about a microsecond
/// for each track of each person.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often what is known of a peer that stays is saved: so much a crash may lose.
const SAVE_EVERY_MS: i64 = 60_000;

/// Peers saved in one transaction.
const SAVED_AT_ONCE: usize = 100;

type Who = (SessionId, PeerId);

/// What is known of the peers that are in.
#[derive(Clone, Default)]
pub struct Quality {
    peers: Arc<Mutex<HashMap<Who, Kept>>>,
}

struct Kept {
    sums: Sums,
    saved_at: Timestamp,
    /// It was there when last looked.
    here: bool,
}

impl Quality {
    fn peers(&self) -> MutexGuard<'_, HashMap<Who, Kept>> {
        self.peers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// All that is known of a peer, of the past and up to now. None if its call was never looked at.
    pub async fn of(&self, store: &Store, session: &SessionId, peer: &PeerId) -> salon_store::Result<Option<Sums>> {
        let known = self.peers().get(&(session.clone(), peer.clone())).map(|kept| kept.sums.clone());
        match known {
            Some(sums) => Ok(Some(sums)),
            None => stored(store, session, peer).await,
        }
    }

    /// Adds what a peer's lines are like now.
    async fn add(
        &self,
        media: &Owners,
        store: &Store,
        who: Who,
        lines: &[LineQuality],
        now: Timestamp,
    ) -> salon_store::Result<()> {
        if !self.peers().contains_key(&who) {
            // It may have been here before: it went and came back, or the node did.
            let sums = stored(store, &who.0, &who.1).await?.unwrap_or_default();
            self.peers().insert(who.clone(), Kept { sums, saved_at: now, here: true });
        }
        if let Some(kept) = self.peers().get_mut(&who) {
            kept.here = true;
            kept.sums.add(now, lines, |track| media.publisher(track));
        }
        Ok(())
    }

    /// Saves those who are gone and those not saved for long; everyone with `all`. Who is gone and saved is forgotten.
    async fn save(&self, store: &Store, now: Timestamp, all: bool) -> salon_store::Result<()> {
        let due: Vec<(Who, serde_json::Value)> = {
            let peers = self.peers();
            let due = peers.iter().filter(|(_, kept)| all || !kept.here || now.since(kept.saved_at) >= SAVE_EVERY_MS);
            due.map(|(who, kept)| (who.clone(), kept.sums.to_json())).collect()
        };
        for some in due.chunks(SAVED_AT_ONCE) {
            let rows: Vec<_> = some.iter().map(|((session, peer), sums)| (session.clone(), peer.clone(), sums.clone())).collect();
            store.keep_peer_quality(&rows, now).await?;
            let mut peers = self.peers();
            for (who, _) in some {
                if peers.get(who).is_some_and(|kept| !kept.here) {
                    peers.remove(who);
                } else if let Some(kept) = peers.get_mut(who) {
                    kept.saved_at = now;
                }
            }
        }
        Ok(())
    }
}

async fn stored(store: &Store, session: &SessionId, peer: &PeerId) -> salon_store::Result<Option<Sums>> {
    Ok(store.peer_quality(session, peer).await?.as_ref().and_then(Sums::from_json))
}

/// Looks at all calls of this node until it stops.
pub async fn watch(quality: Quality, media: Arc<Owners>, hub: Hub, store: Store, clock: Clock, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = look(&quality, &media, &hub, &store, &clock).await {
            tracing::warn!(%error, "cannot keep the quality of calls; trying again");
        }
    }
    if let Err(error) = quality.save(&store, clock.now(), true).await {
        tracing::warn!(%error, "the quality of the last calls is not saved");
    }
}

/// Looks at all calls once, and saves what is due.
pub async fn look(quality: &Quality, media: &Owners, hub: &Hub, store: &Store, clock: &Clock) -> salon_store::Result<()> {
    for kept in quality.peers().values_mut() {
        kept.here = false;
    }
    for meeting in media.meetings() {
        let Some(session) = hub.session_of(meeting.as_str()) else { continue };
        // A media thread with too much to do is asked again next time.
        let Ok(lines) = media.lines(&meeting).await else { continue };
        for (peer, lines) in lines {
            quality.add(media, store, (session.clone(), peer), &lines, clock.now()).await?;
        }
    }
    quality.save(store, clock.now(), false).await
}

//! What is kept of the quality of people's calls: for each peer of a session blocks of quarters of a minute, by track.
//! A task looks at all calls of this node every few seconds and saves: a block that is full once and for all, the running
//! one every minute, when the peer has gone, and when the node stops. Invariant: what was saved is never lost, and a full
//! block never written again; a crash loses what came since the last time. Next: `block.rs`; `sums.rs` adds up.

pub mod between;
mod block;
mod look;
mod role;
mod series;
mod standing;
mod sums;
mod why;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use salon_core::{PeerId, SessionId, Timestamp};
use salon_live::Clock;
use salon_live::Hub;
use salon_media::Owners;
use salon_sfu::LineQuality;
use salon_store::{QualityBlock, Store};
use tokio_util::sync::CancellationToken;

use self::look::Counters;

pub use self::block::{BUCKET_MS, BUCKETS, Block, Bucket, Columns, Figure, TrackBlock, note};
pub use self::role::Role;
pub use self::series::{Blocks, Series, TrackSeries, begin_of, bucket_at, frames_per_second, known, mean_score};
pub use self::standing::{Judged, Standing, Worst};
pub use self::sums::{Sample, Sum, Sums, Values};
pub use self::why::Why;
pub use self::words::Word;

/// How often all calls are looked at. Lower sees shorter troubles, higher costs the media thread less: about a microsecond
/// for each track of each person.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often what is known of a peer that stays is saved: so much a crash may lose.
const SAVE_EVERY_MS: i64 = 60_000;

/// A peer that was not seen at so many looks in a row is gone: one may fail because a media thread has too much to do.
const LOOKS_UNSEEN: u32 = 3;

/// Full blocks of a peer that wait for a store that is away: an hour. Then the oldest goes.
const MAX_UNSAVED: usize = 12;

/// Blocks saved in one transaction.
const SAVED_AT_ONCE: usize = 100;

type Who = (SessionId, PeerId);

/// What is known of the peers that are in.
#[derive(Clone, Default)]
pub struct Quality {
    peers: Arc<Mutex<HashMap<Who, Kept>>>,
}

struct Kept {
    /// Number of the running block.
    number: u64,
    block: Block,
    counters: Counters,
    /// Full, and not saved yet.
    full: BTreeMap<u64, Block>,
    saved_at: Timestamp,
    /// Looked at since it was saved.
    changed: bool,
    unseen: u32,
}

impl Kept {
    fn is_gone(&self) -> bool {
        self.unseen >= LOOKS_UNSEEN
    }

    /// As the last whole bucket has it, in a session that began then; none before there is one.
    fn standing(&self, began: Timestamp, now: Timestamp) -> Option<Standing> {
        let last = bucket_at(began, now).checked_sub(1)?;
        let (number, place) = (last / BUCKETS, (last % BUCKETS) as usize);
        // A block that is full is forgotten once it is saved: then what is known of the next one has to do.
        Some(match (self.number == number, self.full.get(&number)) {
            (true, _) => Standing::of(&self.block, place),
            (false, Some(full)) => Standing::of(full, place),
            (false, None) => Standing::of(&self.block, 0),
        })
    }

    /// Goes on to the block with this number.
    fn turn(&mut self, number: u64) {
        if self.number != number {
            self.full.insert(self.number, std::mem::take(&mut self.block));
            self.number = number;
            if self.full.len() > MAX_UNSAVED {
                self.full.pop_first();
                tracing::warn!("five minutes of the quality of a call are lost: they could not be saved for an hour");
            }
        }
    }

    fn rows(&self, who: &Who, whole: bool) -> Vec<QualityBlock> {
        let running = (whole && self.changed).then_some((&self.number, &self.block));
        let blocks = self.full.iter().chain(running);
        let row = |(number, block): (&u64, &Block)| QualityBlock {
            session: who.0.clone(),
            peer: who.1.clone(),
            number: *number,
            body: block.encode(),
        };
        blocks.map(row).collect()
    }
}

impl Quality {
    fn peers(&self) -> MutexGuard<'_, HashMap<Who, Kept>> {
        self.peers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// How the calls of some peers are, in a session that began then: of those whose calls were looked at.
    pub fn standings<'p>(
        &self,
        (session, began): (&SessionId, Timestamp),
        now: Timestamp,
        of: impl Iterator<Item = &'p PeerId>,
    ) -> Vec<(PeerId, Standing)> {
        let peers = self.peers();
        let standing = |peer: &PeerId| {
            let kept = peers.get(&(session.clone(), peer.clone()))?;
            Some((peer.clone(), kept.standing(began, now)?))
        };
        of.filter_map(standing).collect()
    }

    /// How the worst calls of sessions are, given when each began: of those in which calls were looked at.
    pub fn worst(&self, began: &HashMap<SessionId, Timestamp>, now: Timestamp) -> HashMap<SessionId, Worst> {
        let mut worst: HashMap<SessionId, Worst> = HashMap::new();
        for ((session, _), kept) in self.peers().iter().filter(|(_, kept)| !kept.is_gone()) {
            let Some(standing) = began.get(session).and_then(|began| kept.standing(*began, now)) else { continue };
            worst.entry(session.clone()).or_default().add(&standing);
        }
        worst
    }

    /// The blocks of a peer from one number to another, up to now.
    pub async fn blocks(
        &self,
        store: &Store,
        session: &SessionId,
        peer: &PeerId,
        (from, to): (u64, u64),
    ) -> salon_store::Result<Blocks> {
        let stored = store.quality_blocks(session, peer, (from, to)).await?;
        let read = stored.iter().filter_map(|(number, body)| Some((*number, Block::decode(body)?)));
        let mut blocks: Blocks = read.collect();
        if let Some(kept) = self.peers().get(&(session.clone(), peer.clone())) {
            let here = kept.full.iter().chain([(&kept.number, &kept.block)]);
            let asked = here.filter(|(number, _)| (from..=to).contains(*number));
            blocks.extend(asked.map(|(number, block)| (*number, block.clone())));
        }
        Ok(blocks)
    }

    /// All that is known of a peer of a session that began then, of the past and up to now. None if its call was never
    /// looked at.
    pub async fn of(
        &self,
        store: &Store,
        (session, began): (&SessionId, Timestamp),
        peer: &PeerId,
    ) -> salon_store::Result<Option<Sums>> {
        let blocks = self.blocks(store, session, peer, (0, u64::MAX)).await?;
        let earlier = store.peer_quality(session, peer).await?.as_ref().and_then(Sums::from_json);
        if blocks.is_empty() {
            return Ok(earlier);
        }
        let mut sums = Sums::of(&blocks, began);
        if let Some(earlier) = earlier {
            sums.follow(earlier);
        }
        Ok(Some(sums))
    }

    /// Notes what a peer's lines are like now, in a session that began then.
    ///
    /// # Errors
    /// The store does not say whether there is a block that was begun before.
    pub async fn note(
        &self,
        store: &Store,
        (who, began): ((SessionId, PeerId), Timestamp),
        now: Timestamp,
        lines: &[LineQuality],
        publisher: impl Fn(&str) -> Option<PeerId>,
    ) -> salon_store::Result<()> {
        let bucket = bucket_at(began, now);
        let (number, place) = (bucket / BUCKETS, (bucket % BUCKETS) as usize);
        if !self.peers().contains_key(&who) {
            // It may have been here before in this block: it went and came back, or the node did.
            let block = self.blocks(store, &who.0, &who.1, (number, number)).await?.remove(&number).unwrap_or_default();
            let (counters, full) = (Counters::default(), BTreeMap::new());
            let kept = Kept { number, block, counters, full, saved_at: now, changed: false, unseen: 0 };
            self.peers().insert(who.clone(), kept);
        }
        if let Some(kept) = self.peers().get_mut(&who) {
            kept.unseen = 0;
            kept.changed = true;
            kept.turn(number);
            look::look(&mut kept.block, place, &mut kept.counters, now, lines, publisher);
        }
        Ok(())
    }

    /// Saves those who are gone and those not saved for long, and what is full; everyone with `all`. Who is gone and saved is
    /// forgotten.
    pub async fn save(&self, store: &Store, now: Timestamp, all: bool) -> salon_store::Result<()> {
        let due: Vec<(Who, Vec<QualityBlock>, bool)> = {
            let peers = self.peers();
            let due = peers.iter().map(|(who, kept)| {
                let whole = all || kept.is_gone() || now.since(kept.saved_at) >= SAVE_EVERY_MS;
                (who.clone(), kept.rows(who, whole), whole)
            });
            due.filter(|(_, rows, whole)| *whole || !rows.is_empty()).collect()
        };
        for some in due.chunks(SAVED_AT_ONCE) {
            let rows: Vec<&QualityBlock> = some.iter().flat_map(|(_, rows, _)| rows).collect();
            store.keep_quality(&rows, now).await?;
            let mut peers = self.peers();
            for (who, rows, whole) in some {
                let Some(kept) = peers.get_mut(who) else { continue };
                rows.iter().for_each(|row| drop(kept.full.remove(&row.number)));
                if *whole {
                    (kept.saved_at, kept.changed) = (now, false);
                }
                if kept.is_gone() {
                    peers.remove(who);
                }
            }
        }
        Ok(())
    }
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
        kept.unseen += 1;
    }
    for meeting in media.meetings() {
        let Some((session, began)) = hub.running(meeting.as_str()) else { continue };
        // A media thread with too much to do is asked again next time.
        let Ok(lines) = media.lines(&meeting).await else { continue };
        for (peer, lines) in lines {
            let who = (session.clone(), peer);
            quality.note(store, (who, began), clock.now(), &lines, |track| media.publisher(track)).await?;
        }
    }
    quality.save(store, clock.now(), false).await
}

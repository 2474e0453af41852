//! What may still come from other nodes after this one, or one of those, was away. Pure.
//! Next: `owners/reunion.rs`.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use salon_core::PeerId;
use salon_sfu::{ProducerId, TransportId};

/// How long the tracks of a session that is gone on with may be at other nodes without that being known here, and connections.
const TRACKS_WITHIN: Duration = Duration::from_secs(5);
const CONNECTIONS_WITHIN: Duration = Duration::from_secs(20);

/// A session that is gone on with here: what there was of it, and may be at other nodes.
#[derive(Debug)]
pub(crate) struct Awaited {
    since: Instant,
    pub peers: HashSet<PeerId>,
    /// Whose they are, and whether they are paused.
    pub tracks: HashMap<ProducerId, (PeerId, bool)>,
}

impl Awaited {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, peers: HashSet::new(), tracks: HashMap::new() }
    }

    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
        self.tracks.retain(|_, (of, _)| of != peer);
    }

    pub(crate) fn end(&mut self, track: &ProducerId) {
        self.tracks.remove(track);
    }

    pub(crate) fn pause(&mut self, track: &ProducerId, is: bool) {
        if let Some((_, paused)) = self.tracks.get_mut(track) {
            *paused = is;
        }
    }

    /// The tracks that did not come in time, which are waited for no more.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<(ProducerId, PeerId)> {
        let is_late = now.saturating_duration_since(self.since) >= TRACKS_WITHIN;
        let late = if is_late { std::mem::take(&mut self.tracks) } else { HashMap::new() };
        late.into_iter().map(|(producer, (peer, _))| (producer, peer)).collect()
    }

    pub(crate) fn goes_on(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < CONNECTIONS_WITHIN
    }
}

/// Who consumed something in an earlier run that comes in elsewhere.
#[derive(Debug)]
pub(crate) struct Wanting {
    since: Instant,
    pub by: HashSet<TransportId>,
}

impl Wanting {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, by: HashSet::new() }
    }

    pub(crate) fn goes_on(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < CONNECTIONS_WITHIN
    }
}

//! Tracks of before a connection broke, whose client is back and about to publish them anew: clients keep their media
//! connections and begin all tracks again (seen in web SDK 2.0.2). Until then they stay as they are, so that nobody sees or
//! hears a gap; the new track goes on with the id of the old one, so that nobody has to be told either.
//! Invariant: a leftover is taken once, or ends when its time is over.
//! Next: `tracks.rs`, which leaves them over and goes on with them.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{PeerId, TrackId};
use crate::time::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Leftovers {
    of: BTreeMap<PeerId, (Timestamp, BTreeSet<TrackId>)>,
}

impl Leftovers {
    pub fn all(&self) -> impl Iterator<Item = (&PeerId, Timestamp, &BTreeSet<TrackId>)> {
        self.of.iter().map(|(peer, (until, tracks))| (peer, *until, tracks))
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        self.of.values().map(|(until, _)| *until).min()
    }

    pub fn has(&self, peer: &PeerId, track: &TrackId) -> bool {
        self.of.get(peer).is_some_and(|(_, tracks)| tracks.contains(track))
    }

    /// It is not left over any more, or no more at all.
    pub fn take(&mut self, peer: &PeerId, track: &TrackId) {
        let Some((_, tracks)) = self.of.get_mut(peer) else { return };
        tracks.remove(track);
        if tracks.is_empty() {
            self.of.remove(peer);
        }
    }

    /// These are left over of a peer until then, and no others.
    pub fn leave(&mut self, peer: &PeerId, until: Timestamp, tracks: BTreeSet<TrackId>) {
        self.of.remove(peer);
        if !tracks.is_empty() {
            self.of.insert(peer.clone(), (until, tracks));
        }
    }

    pub fn forget(&mut self, peer: &PeerId) {
        self.of.remove(peer);
    }

    /// Those whose time is over, which are forgotten.
    pub fn over(&mut self, now: Timestamp) -> Vec<(PeerId, TrackId)> {
        let over = self.of.extract_if(.., |_, (until, _)| *until <= now);
        over.flat_map(|(peer, (_, tracks))| tracks.into_iter().map(move |track| (peer.clone(), track))).collect()
    }
}

//! Tracks of before a connection broke, whose client is back and about to publish them anew: clients keep their media
//! connections and begin all tracks again (seen in web SDK 2.0.2). Until then they stay as they are, so that nobody sees or
//! hears a gap; the new track goes on with the id of the old one, so that nobody has to be told either.
//! Invariant: a leftover is taken once, or ends when its time is over.
//! Next: `tracks.rs` goes on with one.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Track, TrackKind};
use crate::ids::{PeerId, TrackId};
use crate::limits::LEFTOVER_MS;
use crate::permission::Source;
use crate::session::{Join, Session};
use crate::time::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Leftovers {
    of: BTreeMap<PeerId, (Timestamp, BTreeSet<TrackId>)>,
}

impl Leftovers {
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

    pub fn forget(&mut self, peer: &PeerId) {
        self.of.remove(peer);
    }

    /// Those whose time is over, which are forgotten.
    pub fn over(&mut self, now: Timestamp) -> Vec<(PeerId, TrackId)> {
        let over = self.of.extract_if(.., |_, (until, _)| *until <= now);
        over.flat_map(|(peer, (_, tracks))| tracks.into_iter().map(move |track| (peer.clone(), track))).collect()
    }
}

impl Session {
    /// The tracks of a peer that is back stay until its client publishes them anew; what does not come in any more, and what
    /// it may not send any more, ends.
    pub(super) fn leave_over(&mut self, join: &Join) {
        let Some(found) = self.present(&join.peer) else { return };
        let stays = |track: &Track| {
            join.flowing.contains(&track.id) && join.preset.may_produce(Source::of(track.kind, track.screen_share))
        };
        let (left, gone): (Vec<Track>, Vec<Track>) = found.tracks.values().cloned().partition(stays);
        self.leftovers.forget(&join.peer);
        for track in gone {
            self.drop_track(&join.peer, &track.id);
        }
        if !left.is_empty() {
            let left = left.into_iter().map(|track| track.id).collect();
            self.leftovers.of.insert(join.peer.clone(), (self.now.plus_ms(LEFTOVER_MS), left));
        }
    }

    /// The ids of what a peer publishes, whether or not it is connected.
    pub fn tracks_of(&self, peer: &PeerId) -> impl Iterator<Item = &TrackId> {
        self.present(peer).into_iter().flat_map(|found| found.tracks.keys())
    }

    /// The track that one which `caller` is about to publish goes on with, if there is one. From then on it is not left
    /// over: [`Session::go_on`] follows, or [`Session::unpublish`].
    pub fn take_leftover(&mut self, now: Timestamp, caller: &PeerId, kind: TrackKind, screen_share: bool) -> Option<TrackId> {
        self.tick(now);
        let own = self.present(caller)?.tracks.values();
        let mut left = own.filter(|track| (track.kind, track.screen_share) == (kind, screen_share));
        let track = left.find(|track| self.leftovers.has(caller, &track.id))?.id.clone();
        self.leftovers.take(caller, &track);
        Some(track)
    }

    pub(super) fn drop_leftovers(&mut self) {
        for (peer, track) in self.leftovers.over(self.now) {
            self.drop_track(&peer, &track);
        }
    }
}

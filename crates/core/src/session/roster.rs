//! Who is connected right now, with which preset, and who has media.
//! Owns what only lives as long as a connection; presence itself is in the record.
//! Invariant: the roster holds exactly the peers that the record has as connected.
//! Next: `people.rs`, who is told what of whom; `entry.rs` adds and removes.

use std::collections::BTreeMap;

use crate::ids::{MeetingId, PeerId};
use crate::preset::Preset;
use crate::time::Timestamp;

/// A connected, admitted peer.
#[derive(Debug)]
pub(super) struct Member {
    pub preset: Preset,
    /// Has sent its media join: it is told about tracks, and others may subscribe to its own.
    pub media: bool,
    /// Has fetched the list of people, as clients do when they have joined.
    pub listed: bool,
    /// Its client has shared a screen anew that somebody stopped while it was away, and was refused.
    pub share_refused: bool,
    /// It was here before, and may have missed what was told since then.
    pub missed_since: Option<Timestamp>,
    /// The connected meeting it was told to go to, and when.
    pub sent_to: Option<(MeetingId, Timestamp)>,
}

impl Member {
    /// The first time only.
    pub fn refuses_share(&mut self) -> bool {
        !std::mem::replace(&mut self.share_refused, true)
    }
}

#[derive(Debug, Default)]
pub(super) struct Roster {
    members: BTreeMap<PeerId, Member>,
}

impl Roster {
    pub fn get(&self, peer: &PeerId) -> Option<&Member> {
        self.members.get(peer)
    }

    pub fn get_mut(&mut self, peer: &PeerId) -> Option<&mut Member> {
        self.members.get_mut(peer)
    }

    pub fn add(&mut self, peer: PeerId, preset: Preset) {
        let fresh = Member { preset, media: false, listed: false, share_refused: false, missed_since: None, sent_to: None };
        self.members.insert(peer, fresh);
    }

    pub fn remove(&mut self, peer: &PeerId) {
        self.members.remove(peer);
    }

    pub fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.members.keys()
    }

    pub fn media_peers(&self) -> impl Iterator<Item = &PeerId> {
        self.members.iter().filter(|(_, member)| member.media).map(|(peer, _)| peer)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, &Member)> {
        self.members.iter()
    }
}

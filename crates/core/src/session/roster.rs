//! Who is connected right now, with which preset, and who has media.
//! Owns what only lives as long as a connection; presence itself is in the record.
//! Invariant: the roster holds exactly the peers that the record has as connected.
//! Next: `entry.rs` adds and removes.

use std::collections::BTreeMap;

use crate::event::{PeerJoined, Track};
use crate::ids::{MeetingId, ParticipantId, PeerId, PresetId};
use crate::preset::{Preset, Recorder};
use crate::record::{self, Record};
use crate::session::rate::Limited;
use crate::session::{Media, Message, Output, Refusal, Session};
use crate::time::Timestamp;

/// A connected, admitted peer.
#[derive(Debug)]
pub(super) struct Member {
    pub preset: Preset,
    /// Has sent its media join: it is told about tracks, and others may subscribe to its own.
    pub media: bool,
    /// Has fetched the list of people, as clients do when they have joined.
    pub listed: bool,
    /// The connected meeting it was told to go to, and when.
    pub sent_to: Option<(MeetingId, Timestamp)>,
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
        self.members.insert(peer, Member { preset, media: false, listed: false, sent_to: None });
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

/// A peer as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    pub name: String,
    pub picture: Option<String>,
    pub preset: PresetId,
    pub preset_name: String,
    pub hidden: bool,
    pub recorder: Recorder,
    pub on_stage: bool,
    pub waiting: bool,
}

impl PeerView {
    pub(super) fn of(who: &PeerJoined) -> Self {
        Self {
            peer: who.peer.clone(),
            participant: who.participant.clone(),
            custom_participant_id: who.custom_participant_id.clone(),
            name: who.name.clone(),
            picture: who.picture.clone(),
            preset: who.preset.clone(),
            preset_name: who.preset_name.clone(),
            hidden: who.hidden,
            recorder: who.recorder,
            on_stage: who.on_stage,
            waiting: false,
        }
    }
}

/// Whether others are told about this peer: hidden people are not shown; hidden robots are, because clients tell
/// from them that a recording or livestream runs (presets.md, web SDK 2.0.2).
pub(super) fn is_announced(peer: &record::Peer) -> bool {
    !peer.who.hidden || peer.who.recorder != Recorder::None
}

impl Session {
    /// Everyone `caller` may know of, itself included, in the order of joining. People whose connection broke stay in
    /// the picture until their grace is over.
    pub fn peers(&self, caller: &PeerId) -> Result<Vec<PeerView>, Refusal> {
        self.caller(caller)?;
        let known = self.live().into_iter().flat_map(Record::present);
        let known = known.filter(|peer| is_announced(peer) || peer.who.peer == *caller);
        Ok(known.map(|peer| PeerView::of(&peer.who)).collect())
    }

    /// The same for a caller that asks for the list, which it may do only so often. The first time after each join is
    /// free: that is the client, not its application (seen in web SDK 2.0.2).
    pub fn list_peers(&mut self, now: Timestamp, caller: &PeerId) -> Result<Vec<PeerView>, Refusal> {
        self.tick(now);
        if self.caller(caller)?.listed {
            self.take_rate(caller, Limited::Listing, 1)?;
        }
        if let Some(member) = self.roster.get_mut(caller) {
            member.listed = true;
        }
        self.peers(caller)
    }

    /// One of [`Session::peers`].
    pub fn peer(&self, caller: &PeerId, peer: &PeerId) -> Result<PeerView, Refusal> {
        self.caller(caller)?;
        let found = self.present(peer).filter(|found| is_announced(found) || peer == caller);
        found.map(|found| PeerView::of(&found.who)).ok_or(Refusal::UnknownPeer)
    }

    /// The caller has its media connections ready: it is told of the others that have, with their tracks, and they of
    /// it.
    ///
    /// A second call means that the client started its media anew: what it published before is gone.
    pub fn complete_join(&mut self, now: Timestamp, caller: &PeerId) -> Result<Vec<(PeerView, Vec<Track>)>, Refusal> {
        self.tick(now);
        self.caller(caller)?;
        self.unpublish_all(caller);
        let has_media = |peer: &PeerId| self.roster.get(peer).is_some_and(|member| member.media);
        let known = self.live().into_iter().flat_map(Record::present);
        let others = known.filter(|peer| is_announced(peer) && peer.who.peer != *caller && has_media(&peer.who.peer));
        let others = others.map(|peer| (PeerView::of(&peer.who), peer.tracks.values().cloned().collect())).collect();
        if let Some(member) = self.roster.get_mut(caller) {
            member.media = true;
        }
        if let Some(me) = self.present(caller).filter(|me| is_announced(me)) {
            let message = Message::MediaJoined(PeerView::of(&me.who));
            self.send_media(Some(caller), &message);
        }
        self.tell_former(caller);
        Ok(others)
    }

    /// The caller gives up its media connections, but stays in the session.
    pub fn leave_media(&mut self, now: Timestamp, caller: &PeerId) -> Result<(), Refusal> {
        self.tick(now);
        self.caller(caller)?;
        self.unpublish_all(caller);
        let had = self.roster.get_mut(caller).is_some_and(|member| std::mem::replace(&mut member.media, false));
        self.outputs.push(Output::Media(Media::CloseTransports { peer: caller.clone() }));
        if had && self.is_shown(caller) {
            self.send_media(Some(caller), &Message::MediaLeft(caller.clone()));
        }
        Ok(())
    }

    /// Whether others are told about this present peer.
    pub(super) fn is_shown(&self, peer: &PeerId) -> bool {
        self.present(peer).is_some_and(is_announced)
    }
}

//! Who is shown to people who cannot show everyone: those who spoke last, and those who share a screen or are pinned.
//! Owns the order of speakers, front first, which lives as long as the connections do; the rest follows from the record.
//! Invariant: only people others can see are in either, and whoever is in the order has a microphone; so somebody who
//! steps off stage or breaks off for good is out. Silence changes nothing and tells nobody.
//! Next: `broadcast.rs`.

use std::collections::BTreeSet;

use crate::event::{Track, TrackKind};
use crate::ids::PeerId;
use crate::limits::MAX_SPEAKERS;
use crate::record::{self, Record};
use crate::session::{Message, Refusal, Session};
use crate::time::Timestamp;

/// The shortest time between two changes of the front, in milliseconds. Lower makes the picture jump at every cough,
/// higher shows the one who stopped talking.
const MIN_FRONT_MS: i64 = 1_500;

/// One who goes on speaking keeps the front for so long though somebody else speaks as well. Lower makes two who talk
/// at once flicker, higher lets a noisy room keep the front.
const MAX_FRONT_MS: i64 = 4_000;

/// Without a word for so long, in milliseconds, the one at the front has stopped speaking. Voices are heard five times a
/// second.
const PAUSE_MS: i64 = 600;

/// The shortest time between two changes behind the front, in milliseconds: it bounds what a heated debate costs. Who is
/// passed over is heard again at once.
const MIN_CHANGE_MS: i64 = 300;

/// Among the first so many nobody moves forward but to the front: clients show them all anyway.
const NEAR_FRONT: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Those who spoke, the last ones first.
    order: Vec<PeerId>,
    /// When the front changed last, and when anything did.
    front_since: Option<Timestamp>,
    changed_at: Option<Timestamp>,
    /// When the one at the front was last heard.
    front_heard: Timestamp,
    /// Those who were selected, but are not any more. A client that was away may not have heard of that. The gone among
    /// them may come back; they are as many as ever came at most.
    former: BTreeSet<PeerId>,
}

impl Selection {
    /// Takes out somebody who is gone; clients that are here do so by themselves (seen in web SDK 2.0.2).
    pub fn leave(&mut self, peer: &PeerId, compulsory: bool) {
        if self.take_out(peer) || compulsory {
            self.former.insert(peer.clone());
        }
    }

    /// Whether it was in the order.
    fn take_out(&mut self, peer: &PeerId) -> bool {
        if self.order.first() == Some(peer) {
            // Nobody has been told of the one who moves up: its next word is news.
            self.front_since = None;
        }
        let before = self.order.len();
        self.order.retain(|other| other != peer);
        self.order.len() < before
    }

    /// Where somebody who speaks now goes in the order, if that is elsewhere.
    fn place(&self, now: Timestamp, peer: &PeerId) -> Option<usize> {
        let Some(since) = self.front_since else { return Some(0) };
        let is_front = self.order.first() == Some(peer);
        let front_ms = now.since(since);
        let paused = now.since(self.front_heard) >= PAUSE_MS;
        if !is_front && front_ms >= MIN_FRONT_MS && (paused || front_ms >= MAX_FRONT_MS) {
            return Some(0);
        }
        let settled = self.changed_at.is_none_or(|at| now.since(at) >= MIN_CHANGE_MS);
        let is_near = self.order.iter().take(NEAR_FRONT).any(|other| other == peer);
        (settled && !is_near).then_some(1)
    }

    /// Puts somebody there; answers with the one who falls off the end.
    fn put(&mut self, now: Timestamp, peer: &PeerId, place: usize) -> Option<PeerId> {
        self.order.retain(|other| other != peer);
        self.order.insert(place.min(self.order.len()), peer.clone());
        self.former.remove(peer);
        self.changed_at = Some(now);
        if place == 0 {
            self.front_since = Some(now);
            self.front_heard = now;
        }
        (self.order.len() > MAX_SPEAKERS).then(|| self.order.pop()).flatten()
    }
}

/// How a peer is selected now; it says everything, whatever was told before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    pub peer: PeerId,
    /// Its place in the order of those who spoke, from 0.
    pub place: Option<usize>,
    /// Everyone has to see it.
    pub compulsory: bool,
}

/// Whom a client is to show first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selections {
    /// Those who spoke, the last ones first.
    pub speakers: Vec<PeerId>,
    /// Those whom everyone has to see.
    pub compulsory: Vec<PeerId>,
}

/// A picture of a screen, as against a camera or the sound of either.
fn is_screen(track: &Track) -> bool {
    track.screen_share && track.kind == TrackKind::Video
}

fn is_microphone(track: &Track) -> bool {
    !track.screen_share && track.kind == TrackKind::Audio
}

impl Session {
    /// Whom `caller` is to show first, for a client that needs the whole list: one that has just come, or come back.
    pub fn selections(&self, caller: &PeerId) -> Selections {
        let others = self.live().into_iter().flat_map(Record::present).map(|peer| &peer.who.peer);
        Selections {
            speakers: self.selection.order.iter().filter(|peer| *peer != caller).cloned().collect(),
            compulsory: others.filter(|peer| *peer != caller && self.is_compulsory(peer)).cloned().collect(),
        }
    }

    /// The microphone of `peer` carries a voice now: it comes to the front, or close behind one who speaks as well.
    ///
    /// # Errors
    /// `NotJoined`, `NotAllowed` for someone hidden or a robot, `UnknownTrack` for one whose microphone is off.
    pub fn handle_voice(&mut self, now: Timestamp, peer: &PeerId) -> Result<(), Refusal> {
        self.tick(now);
        self.caller(peer)?;
        let speaker = self.present(peer).ok_or(Refusal::NotJoined)?;
        if !speaker.counts() {
            return Err(Refusal::NotAllowed);
        }
        if !speaker.tracks.values().any(|track| is_microphone(track) && !track.paused) {
            return Err(Refusal::UnknownTrack);
        }
        if let Some(place) = self.selection.place(self.now, peer) {
            let fell_off = self.selection.put(self.now, peer, place);
            self.tell_selected([Some(peer.clone()), fell_off]);
        } else if self.selection.order.first() == Some(peer) {
            self.selection.front_heard = self.now;
        }
        Ok(())
    }

    /// A track came or went: whoever shares a screen is seen by everyone, whoever has no microphone does not speak.
    pub(super) fn select_by_track(&mut self, peer: &PeerId, track: &Track) {
        let microphones = self.present(peer).is_some_and(|peer| peer.tracks.values().any(is_microphone));
        let hushed = !microphones && self.selection.take_out(peer);
        if hushed || is_screen(track) {
            self.tell_selected([Some(peer.clone()), None]);
        }
    }

    /// The pin went from one peer to another.
    pub(super) fn select_by_pin(&mut self, before: Option<PeerId>, after: Option<PeerId>) {
        self.tell_selected([before, after]);
    }

    /// Somebody who was gone comes in again: clients that were away as well may still think it selected.
    pub(super) fn select_by_return(&mut self, comer: &PeerId) {
        if self.selection.former.contains(comer) {
            self.tell_selected([Some(comer.clone()), None]);
        }
    }

    /// Tells a client that may have been away who is not selected any more: what it knew before stays with it, and the
    /// whole list only adds to that (seen in web SDK 2.0.2).
    pub(super) fn tell_former(&mut self, comer: &PeerId) {
        let here = |peer: &PeerId| self.present(peer).is_some_and(record::Peer::counts);
        let former = self.selection.former.iter().filter(|peer| *peer != comer && here(peer));
        let news: Vec<Selected> = former.map(|peer| self.selected(peer)).collect();
        if !news.is_empty() {
            self.send_joined(comer, Message::Selected(news));
        }
    }

    /// Everyone has to see it: it shares a screen, or is pinned.
    pub(super) fn is_compulsory(&self, peer: &PeerId) -> bool {
        let found = self.present(peer).filter(|peer| peer.counts());
        found.is_some_and(|found| self.pinned() == Some(peer) || found.tracks.values().any(is_screen))
    }

    fn selected(&self, peer: &PeerId) -> Selected {
        let place = self.selection.order.iter().position(|other| other == peer);
        Selected { peer: peer.clone(), place, compulsory: self.is_compulsory(peer) }
    }

    /// Tells everyone how these are selected now; nobody is told to show itself.
    fn tell_selected(&mut self, peers: [Option<PeerId>; 2]) {
        let shown = peers.iter().flatten().filter(|peer| self.present(peer).is_some_and(record::Peer::counts));
        let news: Vec<Selected> = shown.map(|peer| self.selected(peer)).collect();
        for selected in &news {
            if selected.place.is_none() && !selected.compulsory {
                self.selection.former.insert(selected.peer.clone());
            } else {
                self.selection.former.remove(&selected.peer);
            }
        }
        if news.is_empty() {
            return;
        }
        for to in self.roster.media_peers().cloned().collect::<Vec<_>>() {
            let for_it =
                |selected: &Selected| Selected { compulsory: selected.compulsory && selected.peer != to, ..selected.clone() };
            let message = Message::Selected(news.iter().map(for_it).collect());
            self.send(to, message);
        }
    }
}

//! Who is shown to people who cannot show everyone: those who spoke last, and those who share a screen or are pinned.
//! Invariant: only people others can see are shown, and silence changes nothing and tells nobody.
//! Next: `selection.rs`, the order of those who spoke.

use crate::event::{Track, TrackKind};
use crate::ids::PeerId;
use crate::record::{Peer, Record};
use crate::session::{Message, Refusal, Selected, Selections, Session};
use crate::time::Timestamp;

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
        let here = |peer: &PeerId| self.present(peer).is_some_and(Peer::counts);
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
        let shown = peers.iter().flatten().filter(|peer| self.present(peer).is_some_and(Peer::counts));
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

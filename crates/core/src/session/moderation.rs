//! What hosts and the API do to others: remove, end for all, mute.
//! Invariant: a call that reaches nobody changes nothing.
//! Next: `tracks.rs`, where muting lands.

use std::collections::BTreeSet;

use crate::event::{Actor, EndReason, EventBody, LeaveReason, Track};
use crate::ids::{ParticipantId, PeerId};
use crate::permission::Source;
use crate::record::{self, Record};
use crate::session::rate::Act;
use crate::session::{Message, Output, Refusal, Session};
use crate::time::Timestamp;

/// What to switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mute {
    pub audio: bool,
    pub video: bool,
    pub screen_share: bool,
}

impl Mute {
    fn has(self, source: Source) -> bool {
        match source {
            Source::Microphone => self.audio,
            Source::Camera => self.video,
            Source::Screen => self.screen_share,
        }
    }
}

impl Session {
    /// Removes peers. Unknown ones are passed over: clients send each kick twice (seen in web SDK 2.0.2).
    pub fn kick(&mut self, now: Timestamp, caller: &PeerId, peers: &[PeerId]) -> Result<(), Refusal> {
        self.tick(now);
        self.authorise(&Actor::Peer(caller.clone()), |preset| preset.kick_participant)?;
        self.take_rate(caller, Act::Remove, 1)?;
        for peer in peers {
            if let Some(participant) = self.participant_of(peer) {
                self.dismiss(&participant);
            }
            self.expel(peer, LeaveReason::Kicked);
        }
        Ok(())
    }

    /// Removes every peer of these participants, waiting ones included; answers with the participants that had any.
    pub fn kick_participants(&mut self, now: Timestamp, participants: &[ParticipantId]) -> Vec<ParticipantId> {
        self.remove_participants(now, participants, LeaveReason::Kicked)
    }

    /// The participant was deleted: its peers leave.
    pub fn delete_participant(&mut self, now: Timestamp, participant: &ParticipantId) {
        self.remove_participants(now, std::slice::from_ref(participant), LeaveReason::Deleted);
    }

    /// Participants whose own id is in `ids` or whose custom id is in `custom_ids`, as far as they are here or wait.
    pub fn find_participants(&self, ids: &[String], custom_ids: &[String]) -> Vec<ParticipantId> {
        let matches =
            |id: &ParticipantId, custom: &String| ids.iter().any(|wanted| wanted == id.as_str()) || custom_ids.contains(custom);
        let here = self.live().into_iter().flat_map(Record::present);
        let here = here.map(|peer| (&peer.who.participant, &peer.who.custom_participant_id));
        let waiting = self.waiting.views().map(|view| (&view.participant, &view.custom_participant_id));
        let all = here.chain(waiting);
        let mut found: Vec<ParticipantId> = all.filter(|(id, custom)| matches(id, custom)).map(|(id, _)| id.clone()).collect();
        found.sort();
        found.dedup();
        found
    }

    fn remove_participants(&mut self, now: Timestamp, participants: &[ParticipantId], reason: LeaveReason) -> Vec<ParticipantId> {
        self.tick(now);
        let mut removed = Vec::new();
        for participant in participants {
            let mut peers = self.peers_where(|peer| peer.who.participant == *participant);
            peers.extend(self.waiting.peers_of(participant));
            if !peers.is_empty() && !removed.contains(participant) {
                removed.push(participant.clone());
                if reason == LeaveReason::Kicked {
                    self.dismiss(participant);
                }
            }
            for peer in peers {
                self.expel(&peer, reason);
            }
        }
        removed
    }

    /// Whose connection this is, in or waiting.
    fn participant_of(&self, peer: &PeerId) -> Option<ParticipantId> {
        let here = self.present(peer).map(|peer| &peer.who.participant);
        here.or_else(|| self.waiting.participant_of(peer)).cloned()
    }

    /// The record comes first: nobody is told that they are out before it is certain.
    fn expel(&mut self, peer: &PeerId, reason: LeaveReason) {
        let waited = self.waiting.remove(peer);
        if waited {
            self.tell_waiting_list();
        } else if self.present(peer).is_some() {
            self.remove(peer, reason);
        } else {
            return;
        }
        self.tell_put_out(peer);
    }

    pub(super) fn tell_put_out(&mut self, peer: &PeerId) {
        self.send(peer.clone(), Message::Kicked);
        self.outputs.push(Output::Hangup { peer: peer.clone() });
    }

    /// Ends the session at once, for everyone who is in it or waits; answers with how many people were in.
    pub fn kick_all(&mut self, now: Timestamp, by: &Actor) -> Result<usize, Refusal> {
        self.tick(now);
        if self.live().is_none() {
            return Err(Refusal::NoSession);
        }
        self.authorise(by, |preset| preset.kick_participant)?;
        let kicked = self.live().map_or(0, Record::people_count);
        let waiting = self.waiting.clear();
        self.end_for_all(EndReason::Closed);
        self.put_out(waiting);
        Ok(kicked)
    }

    /// Ends the session for all who are in it.
    pub(super) fn end_for_all(&mut self, reason: EndReason) {
        let here = self.peers_where(|_| true);
        self.end(self.now, reason);
        self.put_out(here.into_iter());
    }

    pub(super) fn put_out(&mut self, peers: impl Iterator<Item = PeerId>) {
        for peer in peers {
            self.send(peer.clone(), Message::Ended);
            self.outputs.push(Output::Hangup { peer });
        }
    }

    /// A host switches off one peer's media, or everyone else's. Those within their grace are heard until it is over,
    /// so they are muted as well.
    pub fn host_mute(&mut self, now: Timestamp, caller: &PeerId, target: Option<&PeerId>, what: Mute) -> Result<(), Refusal> {
        self.tick(now);
        self.authorise(&Actor::Peer(caller.clone()), |preset| {
            (!what.audio || preset.disable_audio)
                && (!what.video || preset.disable_video)
                && (!what.screen_share || preset.disable_screenshare)
        })?;
        self.take_rate(caller, Act::Remove, 1)?;
        let targets = match target {
            Some(peer) => {
                self.peer(caller, peer)?;
                vec![peer.clone()]
            }
            None => self.peers_where(|peer| peer.who.peer != *caller),
        };
        for peer in targets {
            self.mute_peer(&peer, what, &Actor::Peer(caller.clone()));
        }
        Ok(())
    }

    /// Switches off the microphones of these participants; they may switch them on again. Answers with those that are
    /// in.
    pub fn mute_participants(&mut self, now: Timestamp, participants: &[ParticipantId]) -> Vec<ParticipantId> {
        self.tick(now);
        let mut muted = Vec::new();
        for participant in participants {
            let peers = self.peers_where(|peer| peer.who.participant == *participant);
            if !peers.is_empty() && !muted.contains(participant) {
                muted.push(participant.clone());
            }
            for peer in peers {
                self.mute_peer(&peer, Mute { audio: true, ..Mute::default() }, &Actor::Api);
            }
        }
        muted
    }

    /// Switches off every microphone; answers with how many people that reached.
    ///
    /// Without `allow_unmute` nobody but those who may mute others can switch theirs on again, until the next call
    /// that allows it.
    pub fn mute_all(&mut self, now: Timestamp, allow_unmute: bool) -> Result<usize, Refusal> {
        self.tick(now);
        let forbidden = self.live().ok_or(Refusal::NoSession)?.unmute_forbidden;
        if forbidden == allow_unmute {
            self.emit(EventBody::UnmuteForbidden { forbidden: !allow_unmute });
        }
        let here: Vec<&record::Peer> = self.live().into_iter().flat_map(Record::present).collect();
        let all: BTreeSet<ParticipantId> = here.iter().map(|peer| peer.who.participant.clone()).collect();
        let people: BTreeSet<&ParticipantId> =
            here.iter().filter(|peer| !peer.is_robot()).map(|peer| &peer.who.participant).collect();
        let reached = people.len();
        self.mute_participants(now, &all.into_iter().collect::<Vec<_>>());
        Ok(reached)
    }

    fn mute_peer(&mut self, peer: &PeerId, what: Mute, by: &Actor) {
        let Some(found) = self.present(peer) else { return };
        let tracks: Vec<_> = found.tracks.values().cloned().collect();
        for track in tracks {
            if what.has(Source::of(track.kind, track.screen_share)) {
                self.stop_track(peer, &track, by);
            }
        }
        // A client that is away, or on its way back, publishes anew what was on when it went.
        if self.roster.get(peer).is_none_or(|member| !member.media) {
            for source in Source::ALL.iter().copied().filter(|source| what.has(*source)) {
                if !self.is_silenced(peer, source) {
                    self.emit(EventBody::Silenced { peer: peer.clone(), source, by: by.clone() });
                }
            }
        }
    }

    /// Switches off what somebody sends. A screen share ends. Microphone and camera stay as they are but silent: their
    /// client goes on with them when they are switched on again (seen in web SDK 2.0.2).
    pub(super) fn stop_track(&mut self, peer: &PeerId, track: &Track, by: &Actor) {
        if track.screen_share {
            self.drop_track(peer, &track.id);
            self.send_joined(peer, Message::TrackUnpublished { peer: peer.clone(), track: track.clone() });
        } else if !track.paused {
            self.toggle(peer, &track.id, true, by.clone());
        }
    }
}

//! Those who may not come in yet, and those who decide it.
//! Owns the list of waiting connections; that someone was admitted is in the record.
//! Invariant: a waiting peer is not in the record, so it neither counts nor hears anything.
//! Next: `moderation.rs`.

use std::collections::BTreeMap;

use crate::event::EventBody;
use crate::ids::{ParticipantId, PeerId};
use crate::preset::{Entry, Preset};
use crate::session::{Join, Message, PeerView, Refusal, Session};
use crate::time::Timestamp;

/// Someone who waits, as those who may admit see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingView {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    pub name: String,
    pub picture: Option<String>,
    pub preset_name: String,
}

#[derive(Debug)]
struct Waiting {
    view: WaitingView,
    entry: Entry,
    order: u64,
}

#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    people: BTreeMap<PeerId, Waiting>,
    next_order: u64,
}

impl WaitingRoom {
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Another participant waits under this peer id.
    pub fn is_taken(&self, join: &Join) -> bool {
        self.people.get(&join.peer).is_some_and(|waiting| waiting.view.participant != join.participant)
    }

    /// Whether the peer was waiting.
    pub fn remove(&mut self, peer: &PeerId) -> bool {
        self.people.remove(peer).is_some()
    }

    pub fn peers_of(&self, participant: &ParticipantId) -> Vec<PeerId> {
        let of = |waiting: &&Waiting| waiting.view.participant == *participant;
        self.people.values().filter(of).map(|waiting| waiting.view.peer.clone()).collect()
    }

    pub fn contains(&self, peer: &PeerId) -> bool {
        self.people.contains_key(peer)
    }

    /// Sends everyone off; answers with who they were.
    pub fn clear(&mut self) -> impl Iterator<Item = PeerId> + use<> {
        std::mem::take(&mut self.people).into_keys()
    }

    pub fn views(&self) -> impl Iterator<Item = &WaitingView> {
        self.people.values().map(|waiting| &waiting.view)
    }

    fn list(&self) -> Vec<WaitingView> {
        let mut people: Vec<&Waiting> = self.people.values().collect();
        people.sort_by_key(|waiting| waiting.order);
        people.into_iter().map(|waiting| waiting.view.clone()).collect()
    }
}

impl Session {
    pub(super) fn must_wait(&self, join: &Join) -> bool {
        if join.let_in || self.is_admitted(&join.participant) {
            return false;
        }
        let host = |preset: &Preset| preset.accept_waiting_requests;
        match join.preset.entry {
            Entry::Skip => false,
            Entry::OnAccept => true,
            // A host would wait for nobody but itself.
            Entry::OnPrivilegedEntry => !host(&join.preset) && !self.roster.iter().any(|(_, member)| host(&member.preset)),
        }
    }

    fn is_admitted(&self, participant: &ParticipantId) -> bool {
        self.live().is_some_and(|record| record.admitted.contains(participant))
    }

    /// Someone who would wait but was moved here need not wait for the rest of the session.
    pub(super) fn note_let_in(&mut self, join: &Join) {
        let admitted = self.live().map_or(0, |record| record.admitted.len());
        let news = join.let_in && join.preset.entry != Entry::Skip && !self.is_admitted(&join.participant);
        if news && admitted < self.limits.max_peers_ever {
            self.emit(EventBody::ParticipantAdmitted { participant: join.participant.clone() });
        }
    }

    /// Asking again while waiting keeps one's place.
    pub(super) fn wait(&mut self, join: Join) -> PeerView {
        let who = join.who();
        let view = WaitingView {
            peer: who.peer.clone(),
            participant: who.participant.clone(),
            custom_participant_id: who.custom_participant_id.clone(),
            name: who.name.clone(),
            picture: who.picture.clone(),
            preset_name: who.preset_name.clone(),
        };
        let order = self.waiting.people.get(&join.peer).map_or(self.waiting.next_order, |waiting| waiting.order);
        self.waiting.next_order = self.waiting.next_order.max(order + 1);
        self.waiting.people.insert(join.peer, Waiting { view, entry: join.preset.entry, order });
        self.tell_waiting_list();
        PeerView { waiting: true, ..PeerView::of(&who) }
    }

    /// Whether this connection waits to be let in.
    pub fn is_waiting(&self, peer: &PeerId) -> bool {
        self.waiting.contains(peer)
    }

    /// Those who wait, for a caller who may let them in.
    pub fn waiting_list(&self, caller: &PeerId) -> Result<Vec<WaitingView>, Refusal> {
        if !self.caller(caller)?.preset.accept_waiting_requests {
            return Err(Refusal::NotAllowed);
        }
        Ok(self.waiting.list())
    }

    /// Lets participants in: their clients ask to join again at once, and now may. Unknown ones are passed over.
    pub fn admit(&mut self, now: Timestamp, caller: &PeerId, participants: &[ParticipantId]) -> Result<(), Refusal> {
        self.tick(now);
        if !self.caller(caller)?.preset.accept_waiting_requests {
            return Err(Refusal::NotAllowed);
        }
        for participant in participants {
            let peers = self.waiting.peers_of(participant);
            if peers.is_empty() {
                continue;
            }
            if !self.is_admitted(participant) {
                if self.live().map_or(0, |record| record.admitted.len()) >= self.limits.max_peers_ever {
                    return Err(Refusal::Full);
                }
                self.emit(EventBody::ParticipantAdmitted { participant: participant.clone() });
            }
            for peer in peers {
                self.send(peer, Message::Admitted);
            }
        }
        Ok(())
    }

    /// Turns participants away. They may ask again. Those who were let in meanwhile are passed over: the first word
    /// counts.
    pub fn deny(&mut self, now: Timestamp, caller: &PeerId, participants: &[ParticipantId]) -> Result<(), Refusal> {
        self.tick(now);
        if !self.caller(caller)?.preset.accept_waiting_requests {
            return Err(Refusal::NotAllowed);
        }
        let denied = participants.iter().filter(|participant| !self.is_admitted(participant));
        let peers: Vec<PeerId> = denied.flat_map(|participant| self.waiting.peers_of(participant)).collect();
        if peers.is_empty() {
            return Ok(());
        }
        for peer in peers {
            if self.waiting.remove(&peer) {
                self.send(peer, Message::Denied);
            }
        }
        self.tell_waiting_list();
        Ok(())
    }

    /// Tells everyone who may let people in who waits now.
    pub(super) fn tell_waiting_list(&mut self) {
        let list = self.waiting.list();
        let to: Vec<PeerId> = self
            .roster
            .iter()
            .filter(|(_, member)| member.preset.accept_waiting_requests)
            .map(|(peer, _)| peer.clone())
            .collect();
        for peer in to {
            self.send(peer, Message::WaitingList(list.clone()));
        }
    }

    /// If `arrived` may let people in, those who wait for such a person may come, and it learns who else waits.
    pub(super) fn admit_those_waiting_for_a_host(&mut self, arrived: &PeerId) {
        let host = self.roster.get(arrived).is_some_and(|member| member.preset.accept_waiting_requests);
        if !host || self.waiting.is_empty() {
            return;
        }
        let waiting = self.waiting.people.values().filter(|waiting| waiting.entry == Entry::OnPrivilegedEntry);
        for peer in waiting.map(|waiting| waiting.view.peer.clone()).collect::<Vec<_>>() {
            self.send(peer, Message::Admitted);
        }
        self.tell_waiting_list();
    }
}

//! Letting in: who has to wait, and who decides how long.
//! Invariant: a waiting peer is not in the record, so it neither counts nor hears anything.
//! Next: `waiting_room.rs`, the list; `moderation.rs`.

use crate::event::EventBody;
use crate::ids::{ParticipantId, PeerId};
use crate::preset::{Entry, Preset};
use crate::session::rate::Act;
use crate::session::{Join, Message, PeerView, Refusal, Session, WaitingView};
use crate::time::Timestamp;

/// Somebody whose presence lets those in who wait for that.
fn is_host(preset: &Preset) -> bool {
    preset.accept_waiting_requests && !preset.is_robot()
}

impl Session {
    pub(super) fn must_wait(&self, join: &Join) -> bool {
        let dismissed = self.dismissed_at(&join.participant);
        let moved_here = join.let_in.is_some_and(|at| dismissed.is_none_or(|dismissed| at > dismissed));
        if moved_here || self.is_admitted(&join.participant) {
            return false;
        }
        match join.preset.entry {
            Entry::Skip => false,
            Entry::OnAccept => true,
            // A host would wait for nobody but itself.
            Entry::OnPrivilegedEntry if is_host(&join.preset) => false,
            // The host who is there is the one who has put them out.
            Entry::OnPrivilegedEntry => dismissed.is_some() || !self.roster.iter().any(|(_, member)| is_host(&member.preset)),
        }
    }

    fn is_admitted(&self, participant: &ParticipantId) -> bool {
        self.live().is_some_and(|record| record.admitted.contains(participant))
    }

    fn dismissed_at(&self, participant: &ParticipantId) -> Option<Timestamp> {
        self.live()?.dismissed.get(participant).copied()
    }

    /// Somebody is put out: a word that let them in before is taken back.
    pub(super) fn dismiss(&mut self, participant: &ParticipantId) {
        let Some(record) = self.live() else { return };
        let news = !record.dismissed.contains_key(participant) && record.dismissed.len() < self.limits.max_peers_ever;
        if news || record.admitted.contains(participant) {
            self.emit(EventBody::ParticipantDismissed { participant: participant.clone() });
        }
    }

    /// Someone who would wait but was moved here need not wait for the rest of the session.
    pub(super) fn note_let_in(&mut self, join: &Join) {
        let admitted = self.live().map_or(0, |record| record.admitted.len());
        let news = join.let_in.is_some() && join.preset.entry != Entry::Skip && !self.is_admitted(&join.participant);
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
        // Those who were put out come in at a host's word, not at the sight of one.
        let entry = self.dismissed_at(&join.participant).map_or(join.preset.entry, |_| Entry::OnAccept);
        if self.waiting.add(view, entry) {
            self.tell_waiting_list();
        }
        PeerView { waiting: true, ..PeerView::before_joining(&who) }
    }

    /// Whether this connection waits to be let in.
    pub fn is_waiting(&self, peer: &PeerId) -> bool {
        self.waiting.contains(peer)
    }

    /// Those who wait, in the order of their coming.
    pub fn waiting(&self) -> Vec<WaitingView> {
        self.waiting.list()
    }

    /// How many wait.
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// Those who wait, for a caller who may let them in.
    pub fn waiting_list(&self, caller: &PeerId) -> Result<Vec<WaitingView>, Refusal> {
        if !self.caller(caller)?.preset.accept_waiting_requests {
            return Err(Refusal::NotAllowed);
        }
        Ok(self.waiting())
    }

    /// Lets participants in: their clients ask to join again at once, and now may. Unknown ones are passed over.
    pub fn admit(&mut self, now: Timestamp, caller: &PeerId, participants: &[ParticipantId]) -> Result<(), Refusal> {
        self.tick(now);
        if !self.caller(caller)?.preset.accept_waiting_requests {
            return Err(Refusal::NotAllowed);
        }
        self.take_rate(caller, Act::Host, 1)?;
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
        self.take_rate(caller, Act::Remove, 1)?;
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
        let host = self.roster.get(arrived).is_some_and(|member| is_host(&member.preset));
        if !host || self.waiting.is_empty() {
            return;
        }
        for peer in self.waiting.for_a_host() {
            self.send(peer, Message::Admitted);
        }
        self.tell_waiting_list();
    }
}

//! Going on in another process without anybody noticing: what connections have is carried along, because they are still there.
//! Invariant: whoever does not come along is as if its connection had broken at that moment.
//! Next: `roster.rs`, `waiting_room.rs`, `selection.rs`, whose state this is.

use std::collections::BTreeMap;

use crate::event::EventBody;
use crate::ids::{ParticipantId, PeerId, TrackId};
use crate::limits::Limits;
use crate::preset::{Entry, Preset};
use crate::record::Record;
use crate::session::roster::Member;
use crate::session::{Carried, MeetingFacts, Session, Standing};
use crate::time::Timestamp;

impl Session {
    /// What another process needs to go on with this session.
    pub fn carry(&self) -> Carried {
        let mut carried = Carried { grace: self.grace.clone().into_iter().collect(), ..Carried::default() };
        self.selection.carry(&mut carried);
        carried.leftovers =
            self.leftovers.all().map(|(peer, until, tracks)| (peer.clone(), until, tracks.iter().cloned().collect())).collect();
        carried
    }

    /// How this connection stands; none if it has asked for nothing yet.
    pub fn standing(&self, peer: &PeerId) -> Option<Standing> {
        if let Some(Member { media, listed, share_refused, missed_since, sent_to, .. }) = self.roster.get(peer) {
            let (media, listed, share_refused) = (*media, *listed, *share_refused);
            return Some(Standing::In { media, listed, share_refused, missed_since: *missed_since, sent_to: sent_to.clone() });
        }
        let (view, entry, place) = self.waiting.place_of(peer)?;
        Some(Standing::Waits { place, view: view.clone(), for_a_host: entry == Entry::OnPrivilegedEntry })
    }

    /// Goes on with a live session of another process, whose connections are about to be taken up. Tracks that flow no more are
    /// gone.
    pub fn go_on_with(
        facts: MeetingFacts,
        limits: Limits,
        record: Record,
        now: Timestamp,
        carried: Carried,
        flowing: &[TrackId],
    ) -> Self {
        let mut session = Self::new(facts, limits);
        session.now = now.max(record.updated_at);
        session.record = Some(record);
        session.keep_flowing(flowing);
        let grace: BTreeMap<PeerId, Timestamp> = carried.grace.iter().cloned().collect();
        let deadline = session.now.plus_ms(session.limits.grace_ms);
        for peer in session.peers_where(|peer| !peer.is_connected()) {
            let until = grace.get(&peer).copied().unwrap_or(deadline);
            session.grace.insert(peer, until);
        }
        for (peer, until, tracks) in &carried.leftovers {
            session.leftovers.leave(peer, *until, tracks.iter().filter(|track| flowing.contains(track)).cloned().collect());
        }
        session.selection.take_up(carried);
        session.tell_who_is_inside();
        session
    }

    /// A connection has come along. One that the record knows otherwise has to join anew.
    pub fn take_up(
        &mut self,
        now: Timestamp,
        peer: &PeerId,
        participant: &ParticipantId,
        mut preset: Preset,
        standing: Standing,
    ) {
        self.now = self.now.max(now);
        match standing {
            Standing::In { media, listed, share_refused, missed_since, sent_to } => {
                let is_it = |found: &crate::record::Peer| found.is_connected() && found.who.participant == *participant;
                if !self.present(peer).is_some_and(is_it) {
                    return;
                }
                self.permission_changes(participant).apply(&mut preset);
                self.roster.add(peer.clone(), preset);
                if let Some(member) = self.roster.get_mut(peer) {
                    let preset = member.preset.clone();
                    *member = Member { preset, media, listed, share_refused, missed_since, sent_to };
                }
            }
            Standing::Waits { place, view, for_a_host } if view.peer == *peer && view.participant == *participant => {
                let entry = if for_a_host { Entry::OnPrivilegedEntry } else { Entry::OnAccept };
                self.waiting.take_up(place, view, entry);
            }
            Standing::Waits { .. } => {}
        }
    }

    /// All connections that came along are taken up: those that did not have broken.
    pub fn all_taken_up(&mut self, now: Timestamp) {
        self.tick(now);
        for peer in self.peers_where(|peer| peer.is_connected()) {
            if self.roster.get(&peer).is_none() {
                let seen = self.now;
                self.emit(EventBody::PeerDisconnected { peer: peer.clone(), seen });
                self.grace.insert(peer, self.now.plus_ms(self.limits.grace_ms));
            }
        }
    }
}

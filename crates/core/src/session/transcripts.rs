//! What people say, as far as it is written down while they say it: whose it may be, and who is told.
//! Nothing of it is in the record: it is kept beside it, and was before anybody is told.
//! Next: `message.rs`, what is told.

use std::sync::Arc;

use crate::ids::{ParticipantId, PeerId};
use crate::record::Record;
use crate::session::{Message, Session, Spoken};
use crate::time::Timestamp;

impl Session {
    /// Those here whose preset has what they say written down.
    pub fn transcribed(&self) -> Vec<(PeerId, ParticipantId)> {
        let here = self.live().into_iter().flat_map(Record::present);
        let enabled = here.filter(|peer| self.roster.get(&peer.who.peer).is_some_and(|member| member.preset.transcription));
        enabled.map(|peer| (peer.who.peer.clone(), peer.who.participant.clone())).collect()
    }

    /// Tells everybody who is in what somebody began to say at `at`; a part of it only, if that is said.
    pub fn tell_transcript(&mut self, now: Timestamp, peer: &PeerId, (at, text, is_partial): (Timestamp, String, bool)) {
        self.tick(now);
        // They may have left since.
        let Some(found) = self.live().and_then(|record| record.peers.get(peer)) else { return };
        let who = &found.who;
        let spoken = Spoken {
            peer: peer.clone(),
            participant: who.participant.clone(),
            custom_participant_id: who.custom_participant_id.clone(),
            name: who.name.clone(),
            text,
            at,
            is_partial,
        };
        self.send_all(None, &Message::Transcript(Arc::new(spoken)));
    }
}

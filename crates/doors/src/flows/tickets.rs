//! Participants' tokens.
//! Next: `tokens.rs`, what is in one.

use salon_core::Timestamp;
use salon_store::Participant;

use crate::tokens::{Bearer, Tokens};

/// A token for a participant. Until `let_in_until` it opens the door of a waiting room as well.
pub fn sign(tokens: &Tokens, participant: &Participant, let_in_until: Option<Timestamp>, now: Timestamp) -> String {
    let bearer = Bearer {
        app: participant.app.clone(),
        meeting: participant.meeting.clone(),
        participant: participant.id.clone(),
        let_in_until,
    };
    tokens.sign(&bearer, &participant.preset, now)
}

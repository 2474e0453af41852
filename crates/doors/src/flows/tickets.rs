//! Participants' tokens.
//! Next: `tokens.rs`, what is in one.

use salon_core::Timestamp;
use salon_store::{Participant, Recording};

use crate::flows::robots;
use crate::tokens::{Bearer, Tokens};

/// A token for a participant. Until `let_in_until` it opens the door of a waiting room as well.
pub fn sign(tokens: &Tokens, participant: &Participant, let_in_until: Option<Timestamp>, now: Timestamp) -> String {
    let bearer = Bearer {
        app: participant.app.clone(),
        meeting: participant.meeting.clone(),
        participant: participant.id.clone(),
        let_in_until,
        recording: None,
    };
    tokens.sign(&bearer, &participant.preset, now)
}

/// A token for the robot of a recording.
pub fn of_robot(tokens: &Tokens, recording: &Recording, now: Timestamp) -> String {
    let (participant, preset) = robots::names(&recording.id);
    let bearer = Bearer {
        app: recording.app.clone(),
        meeting: recording.meeting.clone(),
        participant,
        let_in_until: None,
        recording: Some(recording.id.clone()),
    };
    tokens.sign(&bearer, &preset, now)
}

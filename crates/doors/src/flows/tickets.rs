//! Participants' tokens.
//! Next: `tokens.rs`, what is in one.

use salon_core::{AppId, MeetingId, ParticipantId, PresetId, RecordingId, Timestamp};
use salon_store::{Listening, Participant};

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

/// A token for the robot of a recording or livestream.
pub fn of_robot(tokens: &Tokens, (app, meeting, recording): (&AppId, &MeetingId, &RecordingId), now: Timestamp) -> String {
    robot(tokens, (app, meeting), recording, robots::names(recording), now)
}

/// A token for the robot of a transcript.
pub fn of_listener(tokens: &Tokens, listening: &Listening, now: Timestamp) -> String {
    let whose = (&listening.app, &listening.meeting);
    robot(tokens, whose, &listening.id, robots::listener(&listening.id), now)
}

fn robot(
    tokens: &Tokens,
    (app, meeting): (&AppId, &MeetingId),
    id: &RecordingId,
    (participant, preset): (ParticipantId, PresetId),
    now: Timestamp,
) -> String {
    let (app, meeting) = (app.clone(), meeting.clone());
    let bearer = Bearer { app, meeting, participant, let_in_until: None, recording: Some(id.clone()) };
    tokens.sign(&bearer, &preset, now)
}

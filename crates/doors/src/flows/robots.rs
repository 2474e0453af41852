//! Who comes in with a token: a participant, or the robot of a recording or of a transcript, which is in no list.
//! Invariant: a robot's token is worth something only while what it is for goes on, and only at the websocket; it hears and sees
//! what everybody does, and may do nothing.

use salon_core::notice::RecordingStatus;
use salon_core::preset::Recorder;
use salon_core::{ParticipantId, PresetId, RecordingId};
use salon_store::{Admission, Listening, ListeningState, Livestream, Participant, Preset, Recording, Store};
use salon_wire::rest::default_presets::robot_preset;
use salon_wire::rest::presets::RecorderType;
use serde_json::Value;

use crate::flows::presets;
use crate::tokens::Bearer;

/// The preset of robots that only listen.
const LISTENER: &str = "listener";

/// What a robot is called.
const NAME: &str = "Recorder";

/// Everything that decides whether and how whoever has this token enters; none if they may not any more.
///
/// # Errors
/// Those of the store.
pub async fn admission(
    store: &Store,
    participant: &ParticipantId,
    recording: Option<&RecordingId>,
) -> salon_store::Result<Option<Admission>> {
    let Some(id) = recording else { return store.admission(participant).await };
    let runs = |recording: &Recording| {
        use RecordingStatus::{Invoked, Paused, Recording};
        matches!(recording.status, Invoked | Recording | Paused) && names(id).0 == *participant
    };
    let listens = |listening: &Listening| listening.state == ListeningState::Listening && listener(id).0 == *participant;
    // What comes from elsewhere has no robot in its meeting.
    let streams = |streamed: &Livestream| streamed.is_active() && streamed.key.is_none() && names(id).0 == *participant;
    let streamed = |streamed: Livestream| streamed.meeting.map(|meeting| (meeting, streamed.created_at));
    let (meeting, (participant, preset), at, kind) = if let Some(recording) = store.recording(id).await?.filter(runs) {
        (recording.meeting, names(id), recording.invoked_at, RecorderType::Recorder)
    } else if let Some((meeting, at)) = store.livestream(id).await?.filter(streams).and_then(streamed) {
        (meeting, names(id), at, RecorderType::Livestreamer)
    } else if let Some(listening) = store.listening(id).await?.filter(listens) {
        (listening.meeting, listener(id), listening.began_at, RecorderType::Recorder)
    } else {
        return Ok(None);
    };
    let Some(mut meeting) = store.meeting_of(&meeting).await? else { return Ok(None) };
    // Closed to people it may be; what is going on in it is heard to its end.
    meeting.active = true;
    let mut of_robots = robot_preset();
    of_robots.permissions.recorder_type = kind;
    let mut body = serde_json::to_value(of_robots).expect("a preset is plain data");
    if let Value::Object(parts) = &mut body {
        parts.remove("name");
    }
    Ok(Some(Admission {
        participant: Participant {
            id: participant,
            meeting: meeting.id.clone(),
            app: meeting.app.clone(),
            preset: preset.clone(),
            name: Some(NAME.to_owned()),
            picture: None,
            custom_participant_id: String::new(),
            origin: None,
            created_at: at,
            updated_at: at,
        },
        preset: Preset { id: preset, app: meeting.app.clone(), name: NAME.to_owned(), body, created_at: at, updated_at: at },
        meeting,
    }))
}

/// The same of whoever this token speaks for.
pub async fn bearer_admission(store: &Store, bearer: &Bearer) -> salon_store::Result<Option<Admission>> {
    admission(store, &bearer.participant, bearer.recording.as_ref()).await
}

/// What a preset lets do. That of a robot which only listens makes it one that nobody is told of.
///
/// # Errors
/// If it cannot be read.
pub fn permissions(preset: &Preset) -> Result<salon_core::Preset, presets::Unreadable> {
    let mut read = presets::permissions(preset)?;
    if preset.id.as_str() == LISTENER {
        read.recorder = Recorder::Listener;
    }
    Ok(read)
}

/// As whom the robot of a transcript comes, and with which preset, which nobody else has.
pub fn listener(listening: &RecordingId) -> (ParticipantId, PresetId) {
    (names(listening).0, PresetId::parse(LISTENER).expect("a word is an id"))
}

/// As whom the robot of a recording comes, and with which preset, which nobody else has.
pub fn names(recording: &RecordingId) -> (ParticipantId, PresetId) {
    (
        ParticipantId::parse(recording.as_str()).expect("a recording's id is an id"),
        PresetId::parse("recorder").expect("a word is an id"),
    )
}

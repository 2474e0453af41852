//! What people in a meeting see of its recordings. They are started and stopped over REST.
//! There is no push for one that starts or stops: only whoever asked is shown it (seen in web SDK 2.0.2).
//! Next: `rest/recordings.rs`.

use prost::Message as _;
use salon_core::RecordingId;
use salon_core::event::RecordingKind;
use salon_core::record::{Recording, RecordingState};
use salon_core::session::RecordingNews;
use salon_wire::event_id::room as r;
use salon_wire::signaling::common::RecordingType;
use salon_wire::signaling::socket::{recording as wire, room};

/// The push that tells of one.
pub fn push(recording: &RecordingId, kind: RecordingKind, news: &RecordingNews) -> (u32, Vec<u8>) {
    let (event, error) = match news {
        RecordingNews::Running => (r::RECORDING_STARTED, None),
        RecordingNews::Paused => (r::RECORDING_PAUSED, None),
        RecordingNews::Stopped { error } => (r::RECORDING_STOPPED, error.as_deref()),
    };
    let told = wire::RecordingEvent {
        recording_id: recording.to_string(),
        err_message: error.unwrap_or_default().to_owned(),
        recording_type: kind_to_wire(kind).into(),
    };
    (event, told.encode_to_vec())
}

/// What those who come in find.
pub fn active(recording: &Recording) -> room::ActiveRecording {
    // Clients take the word for a state of theirs without looking (seen in web SDK 2.0.2).
    let status = match recording.state {
        RecordingState::Starting { .. } => "STARTING",
        RecordingState::Running { .. } => "RECORDING",
        RecordingState::Paused { .. } => "PAUSED",
        RecordingState::Stopping { .. } => "STOPPING",
    };
    room::ActiveRecording {
        recording_id: recording.asked.recording.to_string(),
        recording_type: kind_to_wire(recording.asked.kind).into(),
        recording_status: status.to_owned(),
    }
}

fn kind_to_wire(kind: RecordingKind) -> RecordingType {
    match kind {
        // Of livestreams other things are told.
        RecordingKind::Composite | RecordingKind::Livestream => RecordingType::Composite,
        RecordingKind::Track => RecordingType::Track,
    }
}

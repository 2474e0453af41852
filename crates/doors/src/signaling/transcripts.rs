//! What people in a meeting see of what is said in it.
//! Next: `transcript_forms.rs`, the line that clients parse.

use prost::Message as _;
use salon_core::session::{MeetingFacts, Spoken};
use salon_store::TranscriptLine;
use salon_wire::event_id::room;
use salon_wire::signaling::socket::ai as wire;

use crate::transcript_forms::live_line;

/// The push that tells of it.
pub fn push(spoken: &Spoken, facts: &MeetingFacts) -> (u32, Vec<u8>) {
    let line = TranscriptLine {
        peer: spoken.peer.clone(),
        participant: spoken.participant.clone(),
        custom_participant_id: spoken.custom_participant_id.clone(),
        name: spoken.name.clone(),
        start_at: spoken.at,
        end_at: spoken.at,
        text: spoken.text.clone(),
    };
    let told = wire::MeetingTranscript {
        meeting_id: facts.meeting.to_string(),
        transcript: live_line(&line),
        is_partial: spoken.is_partial,
    };
    (room::TRANSCRIPT, told.encode_to_vec())
}

//! What clients ask of connected meetings, in our words.

use salon_core::session::Refusal;
use salon_core::{MeetingId, ParticipantId, PresetId};
use salon_wire::signaling::socket::room as wire;

use crate::flows::travel::Departure;
use crate::signaling::trouble::Trouble;

/// Titles of meetings to make.
pub fn titles(request: wire::CreateConnectedRoomsRequest) -> Vec<String> {
    request.payloads.into_iter().map(|room| room.title.unwrap_or_default().trim().to_owned()).collect()
}

/// A meeting by the id that a client gives. What has not the form of one is none.
pub fn meeting(id: &str) -> Result<MeetingId, Refusal> {
    MeetingId::parse(id).map_err(|_| Refusal::UnknownMeeting)
}

/// Meetings to delete, as they are called by the client.
pub fn ids(request: wire::DisableConnectedRoomsRequest) -> Vec<String> {
    request.payloads.into_iter().map(|room| room.id.unwrap_or_default()).collect()
}

/// Those who are to go, each once.
pub fn departures(participants: Vec<wire::MovePeerPayload>) -> Result<Vec<Departure>, Trouble> {
    let mut people: Vec<Departure> = Vec::with_capacity(participants.len());
    for person in participants {
        let participant = ParticipantId::parse(person.id.as_deref().unwrap_or_default());
        let participant = participant.map_err(|_| Trouble::Malformed("a user id is not an id"))?;
        let preset = person.preset_id.filter(|preset| !preset.is_empty()).map(|preset| PresetId::parse(&preset));
        let preset = preset.transpose().map_err(|_| Trouble::Malformed("a preset id is not an id"))?;
        if !people.iter().any(|known| known.participant == participant) {
            people.push(Departure { participant, preset });
        }
    }
    Ok(people)
}

//! Connected meetings as the wire has them.

use prost::Message as _;
use salon_core::MeetingId;
use salon_core::session::{ConnectedNews, ConnectedView, PersonView, Refusal, RoomView};
use salon_wire::event_id::room as r;
use salon_wire::signaling::socket::room as wire;

/// The push of a piece of news: its event and payload.
pub fn push(news: &ConnectedNews) -> (u32, Vec<u8>) {
    match news {
        ConnectedNews::Rooms(view) => (r::GET_CONNECTED_ROOMS_DUMP, dump(view).encode_to_vec()),
        ConnectedNews::Changed(rooms) => (r::CONNECTED_ROOMS_UPDATED, changed(rooms).encode_to_vec()),
        ConnectedNews::Deleted(rooms) => (r::CONNECTED_ROOMS_DELETED, deleted(rooms, []).encode_to_vec()),
        ConnectedNews::Go { meeting, ticket } => {
            let go = wire::TransferPeer { meeting_id: Some(meeting.to_string()), auth_token: Some(ticket.0.clone()) };
            (r::TRANSFER_PEER, go.encode_to_vec())
        }
    }
}

/// All meetings, and who is in them.
pub fn dump(view: &ConnectedView) -> wire::GetConnectedRoomsDumpResponse {
    let person = |person: &PersonView| wire::ConnectedMeetingPeer {
        id: Some(person.participant.to_string()),
        display_name: Some(person.name.clone()),
        custom_participant_id: Some(person.custom_participant_id.clone()),
        preset_id: Some(person.preset.to_string()),
        display_picture_url: person.picture.clone(),
    };
    let room = |room: &RoomView| wire::ConnectedMeetingDump {
        id: Some(room.id.to_string()),
        title: Some(room.title.clone()),
        participants: room.people.iter().map(person).collect(),
    };
    wire::GetConnectedRoomsDumpResponse {
        parent_meeting: Some(room(&view.parent)),
        meetings: view.meetings.iter().map(room).collect(),
    }
}

/// Meetings that were made, or have another title.
pub fn changed(rooms: &[(MeetingId, String)]) -> wire::CreateConnectedRoomsResponse {
    let room = |(id, title): &(MeetingId, String)| wire::CreateRoomResponsePayload {
        id: Some(id.to_string()),
        title: Some(title.clone()),
        error: None,
    };
    wire::CreateConnectedRoomsResponse { payloads: rooms.iter().map(room).collect() }
}

/// Meetings that are no more, and what was taken for one and is none.
pub fn deleted(rooms: &[(MeetingId, String)], unknown: impl IntoIterator<Item = String>) -> wire::DisableConnectedRoomsResponse {
    let room = |(id, title): &(MeetingId, String)| wire::DisableConnectedRoomPayload {
        id: Some(id.to_string()),
        // What REST calls a meeting that accepts nobody.
        status: Some("INACTIVE".to_owned()),
        title: Some(title.clone()),
        error: None,
    };
    let unknown = unknown.into_iter().map(|id| wire::DisableConnectedRoomPayload {
        id: Some(id),
        error: Some(wire::ServiceError { message: Some(Refusal::UnknownMeeting.to_string()), code: None }),
        ..wire::DisableConnectedRoomPayload::default()
    });
    wire::DisableConnectedRoomsResponse { payloads: rooms.iter().map(room).chain(unknown).collect() }
}

/// Those who were told to go to `destination`. An id of the application's own that would look like a failure is left out.
pub fn moved(people: &[PersonView], destination: &MeetingId) -> wire::MovePeersBetweenRoomsResponse {
    let payloads = people.iter().map(|person| wire::MovedPeer {
        meeting_id: Some(destination.to_string()),
        custom_participant_id: Some(person.custom_participant_id.clone()).filter(|id| !id.contains("error")),
        error: None,
    });
    wire::MovePeersBetweenRoomsResponse { payloads: payloads.collect() }
}

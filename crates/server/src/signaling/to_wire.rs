//! From our words to the wire's: peers, tracks and pushes.
//! Invariant: a push about the media of a peer comes after the push that made the peer known.
//! Next: `salon_wire::event_id`, for who may be told what under which number.

use prost::Message as _;
use prost::bytes::Bytes;
use salon_core::event::{Track, TrackKind};
use salon_core::preset::Recorder;
use salon_core::session::{Broadcast, MeetingFacts, Message, PeerView, Selected, WaitingView};
use salon_wire::event_id;
use salon_wire::signaling::media::{self, edge};
use salon_wire::signaling::message::v1::SocketMessage;
use salon_wire::signaling::socket::room;

use crate::signaling::{chat, connected, polls, presets, stage, stores};

/// A frame of the websocket.
pub fn envelope(event: u32, id: Option<String>, payload: Bytes) -> Bytes {
    SocketMessage { event, id, payload: Some(payload), metadata: None }.encode_to_vec().into()
}

/// The failure of the request `id`.
pub fn error(event: u32, id: Option<String>, message: String) -> Bytes {
    let response = edge::ErrorResponse { error_message: message, event_id: event as i32 };
    envelope(event_id::ERROR, id, response.encode_to_vec().into())
}

/// The push that tells a peer something.
pub fn frame(message: &Message, facts: &MeetingFacts) -> Bytes {
    use event_id::{media as m, room as r};
    let (event, payload) = match message {
        Message::PeerJoined(peer) => (r::JOIN_ROOM, peer_info(peer).encode_to_vec()),
        Message::PeerLeft(peer) => (r::LEAVE_ROOM, peer_info(peer).encode_to_vec()),
        Message::MediaJoined(peer) => {
            let participant = Some(media_participant(peer, &[]));
            (m::PEER_JOINED_BROADCAST, edge::PeerJoinBroadcastResponse { participant }.encode_to_vec())
        }
        Message::MediaLeft(peer) => {
            let left = edge::PeerLeaveBroadcastResponse { participant_id: peer.to_string() };
            (m::PEER_LEAVE_BROADCAST, left.encode_to_vec())
        }
        Message::TrackPublished { peer, track } => {
            let created = edge::PeerProducerCreateBroadcastResponse {
                participant_id: peer.to_string(),
                producer_state: Some(producer_state(track)),
            };
            (m::PEER_PRODUCER_CREATE_BROADCAST, created.encode_to_vec())
        }
        Message::TrackToggled { peer, track, by } => {
            let toggled = edge::PeerProducerToggleBroadcastResponse {
                participant_id: peer.to_string(),
                producer_state: Some(producer_state(track)),
                // An initiator that is not the owner makes the owner's client mute itself, and is read for nothing else
                // (seen in web SDK 2.0.2): for the API the empty id will do.
                initiator_participant_id: Some(by.as_ref().map_or_else(String::new, ToString::to_string)),
            };
            (m::PEER_PRODUCER_TOGGLE_BROADCAST, toggled.encode_to_vec())
        }
        Message::TrackUnpublished { peer, track } => {
            let closed = edge::PeerProducerCloseBroadcastResponse {
                participant_id: peer.to_string(),
                producer_state: Some(producer_state(track)),
            };
            (m::PEER_PRODUCER_CLOSE_BROADCAST, closed.encode_to_vec())
        }
        Message::Renamed { peer, name } => {
            let renamed =
                edge::PeerDisplayNameEditBroadcastResponse { participant_id: peer.to_string(), display_name: name.clone() };
            (m::PEER_DISPLAY_NAME_EDIT_BROADCAST, renamed.encode_to_vec())
        }
        Message::Kicked => (r::KICK, Vec::new()),
        Message::Ended => (r::KICK_ALL, Vec::new()),
        Message::WaitingList(waiting) => (r::GET_WAITING_ROOM_REQUESTS, waiting_list(waiting).encode_to_vec()),
        Message::Admitted => (r::WAITING_ROOM_REQUEST_ACCEPTED, Vec::new()),
        Message::Denied => (r::WAITING_ROOM_REQUEST_DENIED, Vec::new()),
        Message::Broadcast(broadcast) => (r::BROADCAST_MESSAGE, self::broadcast(broadcast).encode_to_vec()),
        Message::Poll { poll, new } => {
            let event = if *new { event_id::polls::CREATE_POLL } else { event_id::polls::UPDATE_POLL };
            (event, polls::update(poll).encode_to_vec())
        }
        Message::Store { news, deleted } => {
            use event_id::plugins::{STORE_DELETE_KEYS, STORE_INSERT_KEYS};
            let event = if *deleted { STORE_DELETE_KEYS } else { STORE_INSERT_KEYS };
            (event, stores::response(news, facts.meeting.as_str()).encode_to_vec())
        }
        Message::Pinned(peer) => {
            let participant_id = peer.as_ref().map(ToString::to_string).unwrap_or_default();
            (m::GLOBAL_PEER_PIN_BROADCAST, edge::GlobalPeerPinningBroadcastResponse { participant_id }.encode_to_vec())
        }
        Message::PermissionsChanged { participant, changes } => {
            (event_id::presets::UPDATE_USER_PRESET, presets::push(participant, changes).encode_to_vec())
        }
        Message::Stage(news) => stage::push(news),
        Message::Connected(news) => connected::push(news),
        Message::Chat(news) => chat::push(news),
        Message::Selected(news) => {
            let entries = news.iter().flat_map(selected).collect();
            (m::SELECTED_PEER_DIFF, edge::SelectedPeersDiffResponse { entries }.encode_to_vec())
        }
    };
    envelope(event, Some(String::new()), payload.into())
}

/// Priorities of the selection that are no places (read in web SDK 2.0.2).
const NOT_COMPULSORY: i32 = 246_267_631;
const NOT_IN_THE_ORDER: i32 = 229_490_415;

/// The entries after which a client has this selected so, whatever it thought before.
///
/// For the client a place in the order ends being compulsory; "not compulsory" puts one that was not at the end of the
/// order, and "not in the order" one that was compulsory (read in web SDK 2.0.2): hence their sequence.
fn selected(selected: &Selected) -> Vec<edge::SelectedPeersDiffEntry> {
    let mut priorities = match selected.place {
        Some(place) => vec![place as i32 + 1],
        None => vec![NOT_COMPULSORY, NOT_IN_THE_ORDER],
    };
    priorities.extend(selected.compulsory.then_some(-1));
    let entry = |priority| edge::SelectedPeersDiffEntry { peer_id: selected.peer.to_string(), priority };
    priorities.into_iter().map(entry).collect()
}

pub fn peer_info(peer: &PeerView) -> room::PeerInfoResponse {
    room::PeerInfoResponse { peer: Some(self::peer(peer)) }
}

pub fn peer(peer: &PeerView) -> room::Peer {
    // 0 would read as off stage (seen in web SDK 2.0.2).
    let stage = if peer.on_stage { room::StageType::OnStage } else { room::StageType::OffStage };
    room::Peer {
        peer_id: peer.peer.to_string(),
        user_id: peer.participant.to_string(),
        display_name: peer.name.clone(),
        stage_type: Some(stage as i32),
        custom_participant_id: Some(peer.custom_participant_id.clone()),
        preset_id: Some(peer.preset.to_string()),
        display_picture_url: peer.picture.clone(),
        waitlisted: peer.waiting,
        flags: Some(room::PeerFlags {
            preset_name: peer.preset_name.clone(),
            recorder_type: recorder(peer.recorder).to_string(),
            hidden_participant: peer.hidden,
        }),
    }
}

fn recorder(recorder: Recorder) -> &'static str {
    match recorder {
        Recorder::None => "NONE",
        Recorder::Recorder => "RECORDER",
        Recorder::Livestreamer => "LIVESTREAMER",
    }
}

pub fn media_participant(peer: &PeerView, tracks: &[Track]) -> edge::RoomParticipants {
    edge::RoomParticipants {
        peer_id: peer.peer.to_string(),
        producer_states: tracks.iter().map(producer_state).collect(),
        display_name: peer.name.clone(),
        user_id: Some(peer.participant.to_string()),
        capabilities: None,
    }
}

pub fn producer_state(track: &Track) -> media::ProducerState {
    let kind = match track.kind {
        TrackKind::Audio => media::ProducerKind::Audio,
        TrackKind::Video => media::ProducerKind::Video,
    };
    media::ProducerState {
        producer_id: track.id.to_string(),
        kind: kind as i32,
        pause: track.paused,
        screen_share: track.screen_share,
        app_data: Some(track.app_data.clone()),
        producing_transport_id: Some(track.transport.clone()),
        mime_type: Some(track.mime_type.clone()).filter(|mime| !mime.is_empty()),
        codec: None,
    }
}

pub fn waiting_list(waiting: &[WaitingView]) -> room::GetWaitingRoomRequests {
    let requests = waiting.iter().map(|waiting| room::WaitingRoomRequest {
        peer_id: waiting.peer.to_string(),
        user_id: waiting.participant.to_string(),
        display_name: waiting.name.clone(),
        picture: waiting.picture.clone(),
        custom_participant_id: Some(waiting.custom_participant_id.clone()),
        preset_name: Some(waiting.preset_name.clone()),
    });
    room::GetWaitingRoomRequests { requests: requests.collect() }
}

pub fn broadcast(broadcast: &Broadcast) -> room::BroadcastMessage {
    room::BroadcastMessage {
        r#type: broadcast.kind.clone(),
        payload: broadcast.payload.clone(),
        timestamp: broadcast.timestamp,
        ids: broadcast.ids.clone(),
        broadcast_type: None,
    }
}

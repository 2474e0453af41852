//! What sessions tell peers.
//! Invariant: a push about the media of a peer comes after the push that made the peer known.
//! Next: `salon_wire::event_id`, for who may be told what under which number.

use prost::Message as _;
use prost::bytes::Bytes;
use salon_core::session::{MeetingFacts, Message, Selected};
use salon_wire::event_id;
use salon_wire::signaling::media::edge;

use crate::signaling::to_wire::frame::envelope;
use crate::signaling::to_wire::people::{self, media_participant, peer_info, producer_state, waiting_list};
use crate::signaling::{chat, connected, livestreams, polls, presets, recordings, stage, stores, transcripts};

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
        Message::Broadcast(broadcast) => (r::BROADCAST_MESSAGE, people::broadcast(broadcast).encode_to_vec()),
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
        Message::Recording { recording, kind, news } => recordings::push(recording, *kind, news),
        Message::Transcript(spoken) => transcripts::push(spoken, facts),
        Message::Livestream(news) => livestreams::push(news, facts),
        Message::PermissionsChanged { participant, changes } => {
            (event_id::presets::UPDATE_USER_PRESET, presets::push(participant, changes).encode_to_vec())
        }
        Message::Stage(news) => stage::push(news),
        Message::Connected(news) => connected::to_wire::push(news),
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

//! What a websocket carries: an event, the id of the request it answers, and a payload.

use prost::Message as _;
use prost::bytes::Bytes;
use salon_wire::event_id;
use salon_wire::signaling::media::edge;
use salon_wire::signaling::message::v1::SocketMessage;

/// A frame of the websocket.
pub fn envelope(event: u32, id: Option<String>, payload: Bytes) -> Bytes {
    SocketMessage { event, id, payload: Some(payload), metadata: None }.encode_to_vec().into()
}

/// The failure of the request `id`.
pub fn error(event: u32, id: Option<String>, message: String) -> Bytes {
    let response = edge::ErrorResponse { error_message: message, event_id: event as i32 };
    envelope(event_id::ERROR, id, response.encode_to_vec().into())
}

//! What several services read from messages.

use salon_core::session::Broadcast;
use salon_core::{ParticipantId, PeerId};
use salon_wire::signaling::socket::room as wire;

use crate::signaling::trouble::Trouble;

/// Peer and participant ids in one message at most.
pub const MAX_IDS: usize = 1_000;

pub fn message(request: wire::BroadcastMessage) -> Broadcast {
    Broadcast { kind: request.r#type, payload: request.payload, timestamp: request.timestamp, ids: request.ids }
}

pub fn peer_id(id: &str) -> Result<PeerId, Trouble> {
    PeerId::parse(id).map_err(|_| Trouble::Malformed("a peer id is not an id"))
}

pub fn participant_ids(ids: &[String]) -> Result<Vec<ParticipantId>, Trouble> {
    let ids = ids.iter().take(MAX_IDS).map(|id| ParticipantId::parse(id));
    ids.collect::<Result<_, _>>().map_err(|_| Trouble::Malformed("a user id is not an id"))
}

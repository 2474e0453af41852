//! Features that come later: the empty answers their clients need to start, and honest refusals for the rest.
//! Next: `room.rs` and `media.rs`, which work.

use salon_wire::event_id;
use salon_wire::signaling::socket::{chat, livestreaming, plugin, polls, preset};

use crate::signaling::{Answer, Trouble, answer};

pub fn chat_history() -> Result<Answer, Trouble> {
    answer(&chat::GetChatMessagesResponse::default())
}

pub fn chat_page() -> Result<Answer, Trouble> {
    answer(&chat::GetPaginatedChatMessageRoomResponse::default())
}

pub fn polls() -> Result<Answer, Trouble> {
    answer(&polls::GetPollsResponse::default())
}

/// An empty store. Without this answer the client fails to start after 3 s (seen in web SDK 2.0.2).
pub fn store_keys(request: plugin::PluginStoreGetKeysRequest) -> Result<Answer, Trouble> {
    answer(&plugin::PluginStoreResponse {
        plugin_id: request.plugin_id,
        store_name: request.store_name,
        store_items: Vec::new(),
    })
}

pub fn user_presets() -> Result<Answer, Trouble> {
    answer(&preset::ReadPeersPresetResponse::default())
}

pub fn stage_requests() -> Result<Answer, Trouble> {
    answer(&livestreaming::GetStageRequestsResponse::default())
}

/// What is wrong with an event that nobody handles: its feature is missing, or it is no event at all.
pub fn refuse(event: u32) -> Trouble {
    use event_id::{media, room};
    match (event, event >> 16) {
        (media::GLOBAL_PIN_PEER, _) => Trouble::NotYet("pinning for everyone"),
        (room::CREATE_CONNECTED_ROOMS | room::DELETE_CONNECTED_ROOMS | room::MOVE_PEERS, _) => {
            Trouble::NotYet("the breakout room feature")
        }
        (room::REQUEST_STAGE_ACCESS..=room::DENY_STAGE_ACCESS | room::JOIN_STAGE | room::LEAVE_STAGE, _) => {
            Trouble::NotYet("moving on and off stage")
        }
        (_, 1) if event_id::name(event).is_some() => Trouble::NotYet("chat"),
        (_, 2) if event_id::name(event).is_some() => Trouble::NotYet("the shared store"),
        (_, 3) if event_id::name(event).is_some() => Trouble::NotYet("the poll feature"),
        (_, 5) if event_id::name(event).is_some() => Trouble::NotYet("changing permissions in a call"),
        _ => Trouble::UnknownEvent(event),
    }
}

//! Features that come later: honest refusals.
//! Next: `room.rs` and `media.rs`, which work.

use salon_wire::event_id;

use crate::signaling::Trouble;

/// What is wrong with an event that nobody handles: its feature is missing, or it is no event at all.
pub fn refuse(event: u32) -> Trouble {
    use event_id::room;
    match (event, event >> 16) {
        (room::CREATE_CONNECTED_ROOMS | room::DELETE_CONNECTED_ROOMS | room::MOVE_PEERS, _) => {
            Trouble::NotYet("the breakout room feature")
        }
        (_, 1) if event_id::name(event).is_some() => Trouble::NotYet("chat"),
        (_, 2) if event_id::name(event).is_some() => Trouble::NotYet("this plugin feature"),
        _ => Trouble::UnknownEvent(event),
    }
}

//! Features that come later: honest refusals.
//! Next: `room.rs` and `media.rs`, which work.

use salon_wire::event_id;

use crate::signaling::trouble::Trouble;

/// What is wrong with an event that nobody handles: its feature is missing, or it is no event at all.
pub fn refuse(event: u32) -> Trouble {
    match event >> 16 {
        1 if event_id::name(event).is_some() => Trouble::NotYet("chat"),
        2 if event_id::name(event).is_some() => Trouble::NotYet("this plugin feature"),
        _ => Trouble::UnknownEvent(event),
    }
}

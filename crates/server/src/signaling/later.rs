//! Features that come later: the empty answers their clients need to start, and honest refusals for the rest.
//! Next: `room.rs` and `media.rs`, which work.

use salon_wire::event_id;
use salon_wire::signaling::socket::preset;

use crate::signaling::{Answer, Trouble, answer};

pub fn user_presets() -> Result<Answer, Trouble> {
    answer(&preset::ReadPeersPresetResponse::default())
}

/// What is wrong with an event that nobody handles: its feature is missing, or it is no event at all.
pub fn refuse(event: u32) -> Trouble {
    match event >> 16 {
        1 if event_id::name(event).is_some() => Trouble::NotYet("chat"),
        2 if event_id::name(event).is_some() => Trouble::NotYet("this plugin feature"),
        5 if event_id::name(event).is_some() => Trouble::NotYet("changing permissions in a call"),
        _ => Trouble::UnknownEvent(event),
    }
}

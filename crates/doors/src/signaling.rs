//! The websocket door: what clients say becomes calls of a session or of the media server, and answers go back.
//! Invariant: every message is judged by the session or by ownership on the server; what a client claims about itself
//! counts for nothing. Malformed, unknown and oversize messages are answered or dropped, and counted.
//! Next: `signaling/socket/line.rs` has the loop, `signaling/dispatch.rs` all messages, `signaling/to_wire.rs` the pushes.

mod caller;
mod chat;
mod chat_content;
mod connected;
mod dispatch;
mod frames;
mod from_wire;
mod later;
mod livestreams;
mod media;
mod polls;
mod presets;
mod recordings;
mod room;
mod socket;
mod stage;
mod stores;
pub mod to_wire;
mod transcripts;
mod trouble;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::routing::{MethodRouter, get};

use crate::doors::Doors;
use crate::entrance::Entrance;
use crate::flows::travel::Travel;
use crate::rates::LateRates;
use crate::refused::Refused;
pub use crate::signaling::socket::{Porch, SOCKET, Settings};

/// Sockets one participant may open at once, with all its devices, and in each such span from then on. A client on a bad line
/// tries once a second.
const OPENINGS: u64 = 120;
const OPENINGS_SPAN: Duration = Duration::from_secs(60);

/// What takes websockets, those of another process too: see [`Porch::take_up`].
pub fn porch(doors: &Doors, settings: Settings) -> Arc<Porch> {
    let Doors {
        store,
        hub,
        media,
        clock,
        tokens,
        recordings,
        livestreams,
        transcripts,
        metrics,
        nodes,
        pipes,
        passage,
        stop,
        tasks,
        ..
    } = doors.clone();
    let travel = Travel { hub: hub.clone(), store: store.clone(), tokens: tokens.clone(), clock: clock.clone() };
    let (entrance, written) = Entrance::new(store.clone(), clock.clone(), metrics.clone(), stop.clone());
    tasks.spawn(written);
    let (refused, openings) = (Refused::default(), LateRates::new(OPENINGS, OPENINGS_SPAN));
    let porch = Porch {
        settings,
        store,
        hub,
        media,
        clock,
        tokens,
        travel,
        recordings,
        transcripts,
        livestreams,
        entrance,
        metrics,
        refused,
        openings,
        nodes,
        pipes,
        passage,
        stop,
        tasks,
    };
    Arc::new(porch)
}

/// The door to it.
pub fn door(porch: Arc<Porch>) -> MethodRouter {
    get(socket::upgrade).with_state(porch)
}

//! How live sessions are told.
//! Invariant: a moment that goes into an answer is in the heartbeat file before the answer leaves, so that minutes told
//! do not shrink after a crash.
//! Next: `salon_live::Hub`; `flows/live_task.rs`, the way to the session itself.

use std::sync::Arc;

use salon_cluster::Nodes;
use salon_core::Timestamp;
use salon_live::{Alive, Clock, Hub, Told};

use crate::rest::error::ApiError;

/// What they are told with.
#[derive(Clone)]
pub struct Teller {
    pub hub: Hub,
    pub clock: Clock,
    pub alive: Arc<Alive>,
    /// Other nodes, which have sessions of their own.
    pub nodes: Option<Nodes>,
}

impl Teller {
    /// A moment that is told, written down first.
    pub fn told(&self, at: Timestamp) -> Result<Told, ApiError> {
        self.alive.tell(at).map_err(|error| {
            let cause = format_args!("the heartbeat file cannot be written: {error}").to_string();
            ApiError::unavailable("The live state cannot be told right now; try again").because(cause)
        })
    }
}

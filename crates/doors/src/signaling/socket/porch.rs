//! What sockets are taken in with, and how one is refused.
//! Next: `upgrade.rs`.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use salon_cluster::Nodes;
use salon_core::ParticipantId;
use salon_handover::Passage;
use salon_live::{Clock, Hub};
use salon_media::Owners;
use salon_recordings::{Livestreams, Recordings};
use salon_store::Store;
use salon_transcripts::Transcripts;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::entrance::Entrance;
use crate::flows::travel::Travel;
use crate::metrics::Metrics;
use crate::pipes::Pipes;
use crate::rates::LateRates;
use crate::refused::Refused;
use crate::tokens::Tokens;

/// What operators decide about sockets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Sockets open at once.
    pub sockets: u64,
    /// The largest message.
    pub message_bytes: usize,
    /// Messages of one socket, in the long run.
    pub messages_per_second: u32,
    /// Messages of one socket at once before the rate applies.
    pub message_burst: u32,
}

/// What a socket is taken in with.
pub struct Porch {
    pub settings: Settings,
    pub store: Store,
    pub hub: Hub,
    pub media: Arc<Owners>,
    pub clock: Clock,
    pub tokens: Tokens,
    pub travel: Travel,
    pub recordings: Recordings,
    pub transcripts: Transcripts,
    pub livestreams: Livestreams,
    pub entrance: Entrance,
    pub metrics: Arc<Metrics>,
    pub refused: Refused,
    /// How often one participant may open a socket.
    pub openings: LateRates<ParticipantId>,
    /// The other nodes, and the sockets that are passed on to them.
    pub nodes: Option<Nodes>,
    pub pipes: Pipes,
    pub passage: Passage,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

impl Porch {
    pub fn refuse(&self, status: StatusCode, why: &'static str) -> Response {
        self.metrics.refused("socket");
        (status, why).into_response()
    }

    /// A place among the sockets that may be open at once, if there is one.
    pub fn opens(&self) -> Option<OpenSocket> {
        self.opens_of(self.settings.sockets)
    }

    /// A place for one that was open before, however many there are.
    pub fn goes_on(&self) -> Option<OpenSocket> {
        self.opens_of(u64::MAX)
    }

    fn opens_of(&self, most: u64) -> Option<OpenSocket> {
        self.metrics.socket_opens(most).then(|| OpenSocket(self.metrics.clone()))
    }
}

/// Counts a socket as long as it lives, whether or not its upgrade comes to anything.
pub struct OpenSocket(Arc<Metrics>);

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.0.socket_closed();
    }
}

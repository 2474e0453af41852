//! The handles that the doors share.
//! Known to those who open the doors; what stands behind them takes the handles it uses.
//! Next: `rest.rs` and `signaling.rs`, which hand them out.

use std::sync::Arc;

use salon_cluster::Nodes;
use salon_files::Files;
use salon_handover::Passage;
use salon_media::Owners;
use salon_recordings::{Livestreams, Recordings};
use salon_store::Store;
use salon_transcripts::Transcripts;
use salon_webhooks::Webhooks;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::pipes::Pipes;
use crate::rest::Scrape;
use crate::tokens::Tokens;
use salon_live::Alive;
use salon_live::Clock;
use salon_live::Hub;
use salon_quality::Quality;

/// Clones share everything.
#[derive(Clone)]
pub struct Doors {
    pub store: Store,
    pub hub: Hub,
    pub media: Arc<Owners>,
    pub clock: Clock,
    pub alive: Arc<Alive>,
    pub keys: Keys,
    pub tokens: Tokens,
    pub files: Files,
    pub recordings: Recordings,
    pub transcripts: Transcripts,
    pub livestreams: Livestreams,
    pub quality: Quality,
    pub webhooks: Webhooks,
    /// The other nodes, if this one shares its store with any.
    pub nodes: Option<Nodes>,
    /// Sockets that are passed on to them.
    pub pipes: Pipes,
    pub metrics: Arc<Metrics>,
    /// Measures everything, for whoever asks.
    pub scrape: Scrape,
    /// Through which sockets go to the next process.
    pub passage: Passage,
    /// Cancelled when the node stops: sockets close and ask their clients to come back.
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

//! What listening and writing is done with, and what a node goes by.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use salon_core::SessionId;
use salon_live::{Clock, Hub};
use salon_store::{Listening, Store, Terms};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::Engine;
use crate::figures::Figures;
use crate::http::Service;

/// What a node goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who writes; nothing is heard without.
    pub engine: Option<Engine>,
    /// Who sums up; nothing is without.
    pub summaries: Option<Service>,
    /// Sessions that are listened to at once: a process each.
    pub max_sessions: usize,
    /// Pieces of sound written down at once.
    pub at_once: usize,
    /// Where the robots have their folders.
    pub folder: PathBuf,
    /// What is started for each session, with its first arguments.
    pub program: Vec<OsString>,
    /// Days for which a transcript is kept.
    pub keep_days: u32,
    /// Where this node is reached by plain HTTP.
    pub server: String,
}

/// What it is done with.
pub struct Parts {
    pub store: Store,
    pub hub: Hub,
    pub clock: Clock,
    pub settings: Settings,
    pub figures: Figures,
    /// The token with which a robot comes in, and nothing else.
    pub pass: Box<dyn Fn(&Listening) -> String + Send + Sync>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

pub(crate) struct Desk {
    pub parts: Parts,
    /// Given out in the order in which they were asked for.
    pub turns: Semaphore,
    /// The summaries that are being made, and whether one was asked for anew meanwhile.
    pub summing_up: Mutex<HashMap<SessionId, bool>>,
}

/// The node stops: what runs runs on, and is found again.
pub(crate) struct NodeStops;

const DAY_MS: i64 = 86_400_000;

/// Pauses between two questions to who does not answer, in seconds: from the first to the longest.
const ASK_AGAIN_SECS: (u64, u64) = (1, 16);

impl Desk {
    pub fn terms(&self) -> Terms {
        let Parts { hub, settings, .. } = &self.parts;
        let keep_ms = i64::from(settings.keep_days) * DAY_MS;
        Terms { node: hub.name().to_owned(), sums_up: settings.summaries.is_some(), keep_ms }
    }

    /// Asks the store, or the disk, until it answers: what cannot be read is not nothing.
    pub async fn patiently<T, E: Display, F: Future<Output = Result<T, E>>>(&self, ask: impl Fn() -> F) -> Result<T, NodeStops> {
        let (mut pause, longest) = ASK_AGAIN_SECS;
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => tracing::warn!(%error, "how far a transcript is cannot be read or noted right now"),
            }
            let pausing = tokio::time::sleep(Duration::from_secs(pause));
            self.parts.stop.run_until_cancelled(pausing).await.ok_or(NodeStops)?;
            pause = (pause * 2).min(longest);
        }
    }
}

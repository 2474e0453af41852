//! What listening and writing is done with, and what a node goes by.

use std::ffi::OsString;
use std::path::PathBuf;

use salon_live::{Clock, Hub};
use salon_store::{Listening, Store};
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
}

//! Recordings as a node makes them: a process for each, which joins like a client, and its files once it is done.
//! Owns the jobs and their folders. What may be recorded the session decides; what is told of it the store keeps.
//! Invariant: a process that dies, hangs or outlives the server costs a part of a recording at most: what is in the folder
//! counts, whoever wrote it.
//! Next: `job.rs`, one recording from start to end; `process.rs`, the edge to the process; `keep.rs`, where files go.

mod job;
mod keep;
mod parts;
mod process;
mod stops;
mod sweep;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use salon_core::event::RecordingKind;
use salon_core::notice::RecordingStatus;
use salon_core::session::{NewRecording, Refusal};
use salon_core::{RecordingId, Timestamp};
use salon_files::Files;
use salon_live::{Clock, Handle, Hub, Unavailable};
use salon_store::{Recording, Store};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use keep::folder_of;
pub use process::{find_program, has_library};
pub use stops::Stops;

/// What a node goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the jobs have their folders.
    pub folder: PathBuf,
    /// What is started for each recording, with its first arguments.
    pub program: Vec<OsString>,
    /// What encodes; none if there is none.
    pub ffmpeg: Option<PathBuf>,
    /// Whether there is a libvpx, which decodes.
    pub has_vpx: bool,
    /// Recordings at once; the others wait for their turn.
    pub max_jobs: usize,
    /// Days for which files are kept.
    pub keep_days: u32,
    /// Servers of the S3 kind, by host, that recordings may be stored on besides those of known providers.
    pub storage_hosts: Vec<String>,
    /// How long a recorder may take to finish its files once it is told to.
    pub stops_within: Duration,
    /// Where this node is reached by plain HTTP.
    pub server: String,
}

/// What jobs are done with.
pub struct Parts {
    pub store: Store,
    pub hub: Hub,
    pub clock: Clock,
    pub files: Files,
    pub settings: Settings,
    pub stops: Stops,
    /// The token with which the robot of a recording comes in, and nothing else.
    pub pass: Box<dyn Fn(&Recording) -> String + Send + Sync>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

/// The recordings of a node. Clones share everything.
#[derive(Clone)]
pub struct Recordings(Arc<Desk>);

pub(crate) struct Desk {
    pub parts: Parts,
    /// Given out in the order in which they were asked for.
    pub turns: Semaphore,
    wishes: Mutex<HashMap<RecordingId, mpsc::Sender<(Wish, oneshot::Sender<()>)>>>,
}

/// What somebody wants of a recording that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Pause,
    Resume,
}

/// Why a recording was not started.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    #[error("{0}")]
    Store(#[from] salon_store::Error),
}

/// Wishes of one recording that wait to be heard.
const WISHES: usize = 8;

impl Recordings {
    pub fn new(parts: Parts) -> Self {
        let turns = Semaphore::new(parts.settings.max_jobs);
        Self(Arc::new(Desk { parts, turns, wishes: Mutex::default() }))
    }

    /// Has a session recorded. `recording` is asked for now; its session, and when that is, are filled in.
    ///
    /// # Errors
    /// Why not.
    pub async fn start(
        &self,
        handle: &Handle,
        mut recording: Recording,
        (max_ms, beside_others): (i64, bool),
    ) -> Result<Recording, Failed> {
        let parts = &self.0.parts;
        let new = NewRecording { id: recording.id.clone(), kind: recording.kind, max_ms, beside_others };
        let by = recording.started_by.clone();
        let begun = handle.call(move |session, now| {
            session.start_recording(now, &by, new)?;
            session.record().map(|record| record.started.session.clone()).ok_or(Refusal::NoSession)
        });
        recording.session = begun.await??;
        if let Err(error) = parts.store.create_recording(&recording).await {
            let id = recording.id.clone();
            let why = "the server cannot note it right now";
            let _ = handle.call(move |session, now| session.recording_ended(now, &id, Some(why))).await;
            return Err(error.into());
        }
        self.0.clone().take(recording.clone(), job::From::Start);
        Ok(recording)
    }

    /// Has a recording that runs on this node pause or go on; true once it has. False if it does not run here, or does not
    /// answer for `PATIENCE`.
    pub async fn wish(&self, id: &RecordingId, wish: Wish) -> bool {
        let Some(wishes) = self.0.wishes().get(id).cloned() else { return false };
        let (done, is_done) = oneshot::channel();
        if wishes.try_send((wish, done)).is_err() {
            return false;
        }
        tokio::time::timeout(job::PATIENCE, is_done).await.is_ok_and(|done| done.is_ok())
    }

    /// Goes on with what this node has not finished: recordings that run on, and files that are not stored yet.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn adopt(&self) -> salon_store::Result<usize> {
        let parts = &self.0.parts;
        let unfinished = parts.store.unfinished_recordings(parts.hub.name()).await?;
        let count = unfinished.len();
        for recording in unfinished {
            self.0.clone().take(recording, job::From::Before);
        }
        Ok(count)
    }

    /// Whether pictures can be recorded here.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn composites(&self) -> Result<(), &'static str> {
        can(&self.0.parts.settings, RecordingKind::Composite)
    }

    /// Deletes files whose time is over, until the node stops.
    pub async fn sweep(self) {
        sweep::sweep(&self.0.parts).await;
    }

    /// The same once; answers with how many could not be deleted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep_once(&self, now: Timestamp) -> salon_store::Result<usize> {
        sweep::once(&self.0.parts, now).await
    }

    /// Whether a recording may be stored on a server of the S3 kind at this host.
    pub fn takes_storage_host(&self, host: &str) -> bool {
        self.0.parts.settings.storage_hosts.iter().any(|taken| taken.eq_ignore_ascii_case(host))
    }

    pub fn node(&self) -> &str {
        self.0.parts.hub.name()
    }
}

/// Whether a node with these settings can record this.
///
/// # Errors
/// Why not.
pub fn can(settings: &Settings, kind: RecordingKind) -> Result<(), &'static str> {
    match kind {
        RecordingKind::Track => Ok(()),
        RecordingKind::Composite if settings.ffmpeg.is_none() => Err(
            "This server cannot record pictures: ffmpeg is not installed, or not where recording.ffmpeg says. It can record tracks",
        ),
        RecordingKind::Composite if !settings.has_vpx => {
            Err("This server cannot record pictures: libvpx is not installed. It can record tracks")
        }
        RecordingKind::Composite => Ok(()),
    }
}

impl Desk {
    /// Sees to a recording in a task of its own.
    fn take(self: Arc<Self>, recording: Recording, from: job::From) {
        let (wishes, wished) = mpsc::channel(WISHES);
        self.wishes().insert(recording.id.clone(), wishes);
        let stopped = self.parts.stops.register(&recording.id);
        self.parts.tasks.clone().spawn(async move {
            let id = recording.id.clone();
            let is_over = !matches!(recording.status, RecordingStatus::Uploading);
            job::run(&self, recording, (from, is_over), wished, stopped).await;
            self.wishes().remove(&id);
            self.parts.stops.forget(&id);
        });
    }

    fn wishes(&self) -> MutexGuard<'_, HashMap<RecordingId, mpsc::Sender<(Wish, oneshot::Sender<()>)>>> {
        self.wishes.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

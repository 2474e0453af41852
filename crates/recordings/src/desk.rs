//! What jobs are done with, and what a node goes by.

use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use salon_core::event::{RecordedBy, RecordingKind};
use salon_core::session::{NewRecording, Refusal};
use salon_core::{AppId, MeetingId, RecordingId, SessionId};
use salon_files::Files;
use salon_live::{Clock, Handle, Hub, Unavailable};
use salon_recorder::Address;
use salon_recorder::job::Rtmp;
use salon_store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::left::Known;
use crate::stops::Stops;

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
    /// Whether nothing is recorded here: workers do.
    pub workers_only: bool,
    /// Recordings at once; the others wait for their turn.
    pub max_jobs: usize,
    /// Days for which files are kept.
    pub keep_days: u32,
    /// Servers of the S3 kind, by host, that recordings may be stored on besides those of known providers.
    pub storage_hosts: Vec<String>,
    /// How long a recorder that was told to stop may do nothing for its files.
    pub stops_within: Duration,
    /// How much of a livestream can be watched back while it goes on, and how long it can be after its end, in milliseconds.
    pub dvr_ms: u64,
    pub kept_ms: i64,
    /// Where those who watch find this node, such as `https://api.meet.example.org`, unless they ask elsewhere.
    pub public: String,
    /// Where this node is reached by plain HTTP.
    pub server: String,
    /// What whoever streams to us is told to stream to, such as `rtmp://live.example.org/live`; none if nobody may.
    pub ingest_server: Option<String>,
    /// How many may at once, and how many kilobits a second each may send.
    pub ingest_streams: usize,
    pub ingest_kilobits: u32,
    /// Networks that receivers of streams may be in though they are private, such as `10.0.0.0/8`.
    pub open_networks: Vec<String>,
}

/// The bytes of something, or why they cannot be had.
pub type Fetched = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

/// Makes the token with which the robot of a recording comes in, and nothing else.
pub type Pass = Box<dyn Fn(&AppId, &MeetingId, &RecordingId) -> String + Send + Sync>;

/// What fetches what somebody named by an address, up to so many bytes.
pub type Fetch = Box<dyn Fn(String, usize) -> Fetched + Send + Sync>;

/// Whether something may be streamed to this address, as far as that is known without looking it up; else why not.
pub type Judge = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What jobs are done with.
pub struct Parts {
    pub store: Store,
    pub hub: Hub,
    pub clock: Clock,
    pub files: Files,
    pub settings: Settings,
    pub stops: Stops,
    pub pass: Pass,
    pub fetch: Fetch,
    pub judge: Judge,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

/// What every job has.
pub(crate) struct Desk {
    pub parts: Parts,
    /// Given out in the order in which they were asked for.
    pub turns: Semaphore,
    pub known: Known,
}

impl Desk {
    /// Where a job has its folder.
    pub fn folder(&self, id: &RecordingId) -> PathBuf {
        self.parts.settings.folder.join(id.as_str())
    }

    /// Whether something of this kind is recorded here; false if workers do.
    ///
    /// # Errors
    /// Nobody does: why not, and what to do.
    pub fn place(&self, kind: RecordingKind) -> Result<bool, &'static str> {
        let settings = &self.parts.settings;
        match can(settings, kind) {
            Ok(()) if !settings.workers_only => Ok(true),
            _ if self.known.take(kind) => Ok(false),
            Ok(()) => {
                Err("This server records nothing itself (recording.workers_only), and no worker that could is there right now")
            }
            Err(why) => Err(why),
        }
    }

    /// Whether something may be streamed to this address: recorders find out what its name leads to.
    ///
    /// # Errors
    /// Why not, without the address.
    pub fn may_stream_to(&self, url: &str) -> Result<(), String> {
        Address::read(url).map_err(|why| why.to_string())?;
        (self.parts.judge)(url)
    }

    /// A receiver, as recorders are told it.
    pub fn receiver(&self, url: &str) -> Rtmp {
        Rtmp { url: url.to_owned(), open: self.parts.settings.open_networks.clone() }
    }
}

/// Has a session recorded: it says first whether it may be, then that is written down by `note`, with the session.
pub(crate) async fn begin<T, F>(
    handle: &Handle,
    (new, by): (NewRecording, RecordedBy),
    note: impl FnOnce(SessionId) -> F,
) -> Result<T, Failed>
where
    F: Future<Output = salon_store::Result<T>>,
{
    let id = new.id.clone();
    let begun = handle.call(move |session, now| {
        session.start_recording(now, &by, new)?;
        session.record().map(|record| record.started.session.clone()).ok_or(Refusal::NoSession)
    });
    match note(begun.await??).await {
        Ok(noted) => Ok(noted),
        Err(error) => {
            let why = "the server cannot note it right now";
            let _ = handle.call(move |session, now| session.recording_ended(now, &id, Some(why))).await;
            Err(error.into())
        }
    }
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

/// What somebody wants of a recording that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Pause,
    Resume,
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
        RecordingKind::Livestream if settings.ffmpeg.is_none() => {
            Err("This server cannot stream: ffmpeg is not installed, or not where recording.ffmpeg says")
        }
        RecordingKind::Livestream if !settings.has_vpx => Err("This server cannot stream: libvpx is not installed"),
        RecordingKind::Composite | RecordingKind::Livestream => Ok(()),
    }
}

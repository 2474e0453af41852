//! The recordings of a node, as its doors and its start know them.
//! Invariant: a session says first that something may be recorded; whoever asked is answered when that is written down.
//! Next: `job.rs`, what becomes of one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use salon_core::event::RecordingEnd;
use salon_core::notice::RecordingStatus;
use salon_core::session::NewRecording;
use salon_core::{RecordingId, Timestamp};
use salon_live::{Handle, Unavailable};
use salon_store::Recording;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::course::From;
use crate::desk::{Desk, Failed, Parts, Wish, begin};
use crate::left::{Known, leave};
use crate::stranded::{GIVEN_UP, is_given_up, is_stranded};
use crate::{job, reasons, sweep};

/// The recordings of a node. Clones share everything.
#[derive(Clone)]
pub struct Recordings(Arc<Here>);

struct Here {
    desk: Arc<Desk>,
    wishes: Mutex<Wishes>,
}

/// Where each job hears what is wanted of it, and says that it has.
type Wishes = HashMap<RecordingId, mpsc::Sender<(Wish, oneshot::Sender<()>)>>;

/// How often it is looked what nobody sees to and what is over. Rarer keeps files longer; their links are over all the same.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Wishes of one recording that wait to be heard.
const WISHES: usize = 8;

impl Recordings {
    pub fn new(parts: Parts) -> Self {
        let turns = Semaphore::new(parts.settings.max_jobs);
        Self(Arc::new(Here { desk: Arc::new(Desk { parts, turns, known: Known::default() }), wishes: Mutex::default() }))
    }

    /// Has a session recorded. `recording` is asked for now; its session, and when that is, are filled in.
    ///
    /// # Errors
    /// Why not.
    pub async fn start(&self, handle: &Handle, recording: Recording, bounds: (i64, bool)) -> Result<Recording, Failed> {
        let (all, handle) = (self.clone(), handle.clone());
        // Whoever asked may hang up meanwhile.
        let begun = self.0.desk.parts.tasks.spawn(async move { all.begin(&handle, recording, bounds).await });
        begun.await.unwrap_or(Err(Failed::Unavailable(Unavailable)))
    }

    async fn begin(
        &self,
        handle: &Handle,
        mut recording: Recording,
        (max_ms, beside_others): (i64, bool),
    ) -> Result<Recording, Failed> {
        let store = &self.0.desk.parts.store;
        let is_here = self.0.desk.place(recording.kind).unwrap_or(true);
        if !is_here {
            leave(&mut recording.config, &mut recording.node);
        }
        let new = NewRecording { id: recording.id.clone(), kind: recording.kind, max_ms, beside_others };
        let by = recording.started_by.clone();
        let recording = begin(handle, (new, by), |session| async move {
            recording.session = session;
            store.create_recording(&recording).await.map(|()| recording)
        })
        .await?;
        if is_here {
            self.take(recording.clone(), From::Start);
        }
        Ok(recording)
    }

    /// Has a recording that runs on this node pause or go on; true once it has. False if it does not run here, or does not
    /// answer for `PATIENCE`.
    pub async fn wish(&self, id: &RecordingId, wish: Wish) -> bool {
        let Some(wishes) = self.0.wishes().get(id).cloned() else {
            let asked = tokio::time::timeout(job::PATIENCE, self.wish_of_worker(id, wish));
            return asked.await.unwrap_or(false);
        };
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
        let parts = &self.0.desk.parts;
        let unfinished = parts.store.unfinished_recordings(parts.hub.name()).await?;
        let count = unfinished.len();
        for recording in unfinished {
            self.0.clone().take(recording, From::Before);
        }
        Ok(count)
    }

    /// Sees to a recording in a task of its own.
    pub(crate) fn take(&self, recording: Recording, from: From) {
        self.0.clone().take(recording, from);
    }

    /// Sees to what nobody sees to, and deletes files whose time is over, until the node stops.
    pub async fn sweep(self) {
        let parts = &self.0.desk.parts;
        let mut every = tokio::time::interval(SWEEP_EVERY);
        while parts.stop.run_until_cancelled(every.tick()).await.is_some() {
            match parts.stop.run_until_cancelled(self.sweep_once(parts.clock.now())).await {
                None | Some(Ok(0)) => {}
                Some(Ok(left)) => {
                    tracing::warn!(recordings = left, "recordings that are over cannot be deleted; it is tried again later");
                }
                Some(Err(error)) => tracing::warn!(%error, "recordings that are over cannot be looked for right now"),
            }
        }
    }

    /// The same once; answers with how many could not be deleted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep_once(&self, now: Timestamp) -> salon_store::Result<usize> {
        let parts = &self.0.desk.parts;
        for recording in parts.store.stranded_recordings(self.node(), now).await? {
            self.see_to_stranded(recording, now).await?;
        }
        for recording in parts.store.unfinished_recordings(self.node()).await? {
            if !is_stranded(now, recording.invoked_at) || parts.stops.knows(&recording.id) {
                continue;
            }
            // Its begin was cut off between the row and the job. Or the job has ended since the row was read.
            let still = parts.store.recording(&recording.id).await?.filter(Recording::is_unfinished);
            if let Some(recording) = still {
                self.0.clone().take(recording, From::Before);
            }
        }
        sweep::once(parts, now).await
    }

    /// One of a node that does not live.
    async fn see_to_stranded(&self, recording: Recording, now: Timestamp) -> salon_store::Result<()> {
        let store = &self.0.desk.parts.store;
        if self.0.desk.folder(&recording.id).is_dir() {
            let node = self.node().to_owned();
            let ours = store.edit_recording(&recording.id, now, |recording| recording.node.clone_from(&node)).await?;
            if ours.is_unfinished() {
                self.0.clone().take(ours, From::Before);
            }
        } else if is_given_up(now, recording.stopped_at.unwrap_or(recording.invoked_at)) {
            let given_up = |recording: &mut Recording| {
                if recording.is_unfinished() {
                    let began = recording.started_at.unwrap_or(recording.invoked_at);
                    recording.stop(RecordingEnd::Failed, recording.stopped_at.unwrap_or(began));
                    (recording.status, recording.storage) = (RecordingStatus::Errored, None);
                    reasons::add(&mut recording.error, GIVEN_UP);
                }
            };
            store.edit_recording(&recording.id, now, given_up).await?;
        }
        Ok(())
    }

    /// Whether a recording may be streamed to this address.
    ///
    /// # Errors
    /// Why not, without the address.
    pub fn may_stream_to(&self, url: &str) -> Result<(), String> {
        self.0.desk.may_stream_to(url)
    }

    /// Whether a recording may be stored on a server of the S3 kind at this host.
    pub fn takes_storage_host(&self, host: &str) -> bool {
        self.0.desk.parts.settings.storage_hosts.iter().any(|taken| taken.eq_ignore_ascii_case(host))
    }

    pub(crate) fn desk(&self) -> Arc<Desk> {
        self.0.desk.clone()
    }

    pub fn node(&self) -> &str {
        self.0.desk.parts.hub.name()
    }
}

impl Here {
    /// Sees to a recording in a task of its own.
    fn take(self: Arc<Self>, recording: Recording, from: From) {
        let (wishes, wished) = mpsc::channel(WISHES);
        self.wishes().insert(recording.id.clone(), wishes);
        let stopped = self.desk.parts.stops.register(&recording.id);
        self.desk.parts.tasks.clone().spawn(async move {
            let id = recording.id.clone();
            let is_over = !matches!(recording.status, RecordingStatus::Uploading);
            job::run(&self.desk, recording, (from, is_over), wished, stopped).await;
            self.wishes().remove(&id);
            self.desk.parts.stops.forget(&id);
        });
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

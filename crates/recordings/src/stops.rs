//! The way from a session that wants a recording to stop to the job that records it.
//! Invariant: a word that comes before the job listens is not lost, and one to nobody costs nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use salon_core::RecordingId;
use salon_core::event::RecordingEnd;
use tokio::sync::watch;

/// Who is to be told to stop. Clones share it.
#[derive(Clone, Default)]
pub struct Stops(Arc<Mutex<HashMap<RecordingId, watch::Sender<Option<RecordingEnd>>>>>);

impl Stops {
    /// Has a recording stop, if its job is here.
    pub fn tell(&self, id: &RecordingId, why: &RecordingEnd) {
        if let Some(job) = self.jobs().get(id) {
            job.send_if_modified(|told| told.is_none().then(|| *told = Some(why.clone())).is_some());
        }
    }

    /// Whether there is a job of it here.
    pub(crate) fn knows(&self, id: &RecordingId) -> bool {
        self.jobs().contains_key(id)
    }

    /// The jobs that are here.
    pub(crate) fn all(&self) -> Vec<RecordingId> {
        self.jobs().keys().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.jobs().len()
    }

    pub(crate) fn register(&self, id: &RecordingId) -> watch::Receiver<Option<RecordingEnd>> {
        self.jobs().entry(id.clone()).or_default().subscribe()
    }

    pub(crate) fn forget(&self, id: &RecordingId) {
        self.jobs().remove(id);
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<RecordingId, watch::Sender<Option<RecordingEnd>>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

//! Those who stream to us and were not let in yet, on their way to the job of their livestream.
//! Invariant: an arrival is answered, or its connection closes.
//! Next: `ingest_door.rs`, from where they come; `ingest_job.rs`, which lets them in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use salon_core::RecordingId;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// Words to one job that wait at most.
const WAITING: usize = 16;

/// Somebody who wants to stream.
pub struct Arrival {
    pub connection: TcpStream,
    /// All that was read of them, with their key in it.
    pub read: Vec<u8>,
    /// Who is not let in has the connection back.
    pub answer: oneshot::Sender<Result<(), (TcpStream, Unwelcome)>>,
}

/// Why somebody is not let in, as their encoder shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwelcome {
    #[error("There is no livestream with this stream key, or it is over")]
    Unknown,
    #[error("This livestream is disabled")]
    Disabled,
    #[error("Somebody streams with this key already; try again in some seconds")]
    Taken,
    #[error("It was cut off too often; try again in a minute")]
    TooOften,
    #[error("Another server takes this livestream")]
    Elsewhere,
    #[error("This server takes no more streams right now")]
    Full,
    #[error("This server cannot take the stream right now; try again")]
    Unavailable,
}

/// What a job is told.
pub enum Word {
    Arrival(Arrival),
    /// Its row may say something else by now.
    Look,
}

/// Where each job hears it. Clones share it.
#[derive(Clone, Default)]
pub struct Arrivals {
    jobs: Arc<Mutex<HashMap<RecordingId, mpsc::Sender<Word>>>>,
    /// When somebody was let in last.
    let_in: Arc<Mutex<HashMap<RecordingId, Instant>>>,
}

impl Arrivals {
    /// Where the job of a livestream hears, which is begun by `begin` if there is none and it may be begun.
    pub fn job(&self, id: &RecordingId, begin: Option<impl FnOnce(mpsc::Receiver<Word>)>) -> Option<mpsc::Sender<Word>> {
        let mut jobs = self.jobs();
        if let Some(job) = jobs.get(id) {
            return Some(job.clone());
        }
        let begin = begin?;
        let (job, words) = mpsc::channel(WAITING);
        jobs.insert(id.clone(), job.clone());
        begin(words);
        Some(job)
    }

    /// Whether there is a job of it here.
    pub fn has_job(&self, id: &RecordingId) -> bool {
        self.jobs().contains_key(id)
    }

    /// Has a job look at its row, if it is here.
    pub fn look(&self, id: &RecordingId) {
        if let Some(job) = self.jobs().get(id) {
            // One that has so much to hear looks soon anyway.
            let _ = job.try_send(Word::Look);
        }
    }

    /// Whether somebody may be let in: nobody was for so long. It counts as if they were.
    pub fn may_be_let_in(&self, id: &RecordingId, apart: Duration) -> bool {
        let mut let_in = self.let_in.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let_in.retain(|_, at| at.elapsed() < apart);
        let may = !let_in.contains_key(id);
        if may {
            let_in.insert(id.clone(), Instant::now());
        }
        may
    }

    pub fn forget(&self, id: &RecordingId) {
        self.jobs().remove(id);
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<RecordingId, mpsc::Sender<Word>>> {
        self.jobs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

//! On whose behalf something is done: what the audit log will say of it.
//! It goes with the task that does it, so whatever writes the act finds it, and nothing on the way need hand it on.
//! Invariant: an act is noted once, with the first thing that is written of it.
//! Next: `chain.rs`, where it is noted; `transact.rs`, which does so.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use salon_core::{AccountId, ApiKeyId, AppId, ParticipantId, Timestamp};

/// Things that one act names at most. A call may name a thousand people.
const MAX_SUBJECTS: usize = 100;

tokio::task_local! {
    static ACTING: Arc<Acting>;
}

/// Who does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    Key(ApiKeyId),
    Participant(ParticipantId),
    /// Somebody at the command line of the server.
    Operator,
    /// Salon itself, by its settings.
    Salon,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Whoever asked may not.
    Refused,
}

/// What is done, without what it holds: ids only, no names, no text of people, no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// `None` if it is that of the app.
    pub account: Option<AccountId>,
    pub app: Option<AppId>,
    pub by: By,
    /// The call, message or command.
    pub what: String,
    /// What it is done to: kinds of things, with ids.
    pub subjects: Vec<(String, String)>,
    /// The address that it came from.
    pub from: Option<String>,
    pub at: Timestamp,
    pub outcome: Outcome,
}

/// An act under way.
#[derive(Debug)]
pub struct Acting {
    act: Mutex<Act>,
    /// Noted, or nothing to note.
    is_settled: AtomicBool,
}

impl Acting {
    pub fn new(act: Act) -> Arc<Self> {
        Arc::new(Self { act: Mutex::new(act), is_settled: AtomicBool::new(false) })
    }

    /// Runs what does it.
    pub async fn scope<T>(self: &Arc<Self>, doing: impl Future<Output = T>) -> T {
        ACTING.scope(self.clone(), doing).await
    }

    /// What this task does, if it is yet to be noted.
    pub fn current() -> Option<Arc<Self>> {
        ACTING.try_with(Arc::clone).ok().filter(|acting| !acting.is_settled())
    }

    pub fn act(&self) -> Act {
        self.lock().clone()
    }

    /// It is in the log, or on its way there with what it did.
    pub fn settle(&self) {
        self.is_settled.store(true, Ordering::SeqCst);
    }

    pub fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Act> {
        self.act.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Names something that the present act is done to.
pub fn about(kind: &str, id: &str) {
    let Some(acting) = Acting::current() else { return };
    let subjects = &mut acting.lock().subjects;
    if subjects.len() < MAX_SUBJECTS && !subjects.iter().any(|(known, of)| known == kind && of == id) {
        subjects.push((kind.to_owned(), id.to_owned()));
    }
}

/// Says which app the present act is about, where that was not known when it began.
pub fn of_app(app: &AppId) {
    if let Some(acting) = Acting::current() {
        acting.lock().app.get_or_insert_with(|| app.clone());
    }
}

/// The present act is none that anybody need know of.
pub fn never_mind() {
    if let Some(acting) = Acting::current() {
        acting.settle();
    }
}

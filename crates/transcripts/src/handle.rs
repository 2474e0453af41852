//! The transcripts of a node, as its doors and its start know them.
//! Invariant: of a session a node listens once; that is written down before its robot is started, so that whoever comes after
//! a crash goes on with it.
//! Next: `listening.rs`, what becomes of one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use salon_core::{RecordingId, SessionId, Timestamp};
use salon_live::Handle;
use salon_store::{Listening, ListeningState, Meeting};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

use crate::desk::{Desk, Parts};
use crate::{listening, summaries};

/// The transcripts of a node. Clones share everything.
#[derive(Clone)]
pub struct Transcripts(Arc<Here>);

struct Here {
    desk: Arc<Desk>,
    /// How each that listens is told to look who is there.
    looks: Mutex<HashMap<SessionId, Arc<Notify>>>,
}

/// How often it is looked for what is over, or was left by others.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(600);

impl Transcripts {
    pub fn new(parts: Parts) -> Self {
        let turns = Semaphore::new(parts.settings.at_once.max(1));
        Self(Arc::new(Here { desk: Arc::new(Desk { parts, turns, summing_up: Mutex::default() }), looks: Mutex::default() }))
    }

    /// Whether anything is written down here at all.
    pub fn is_on(&self) -> bool {
        self.0.desk.parts.settings.engine.is_some()
    }

    /// Whether transcripts are summed up here.
    pub fn sums_up(&self) -> bool {
        self.0.desk.parts.settings.summaries.is_some()
    }

    /// Somebody came into the session of a meeting, or may do something else now: has it listened to if it is to be. In the
    /// background: nobody waits for it.
    pub fn look(&self, handle: &Handle, meeting: &Meeting) {
        if !self.is_on() {
            return;
        }
        let (here, handle, meeting) = (self.0.clone(), handle.clone(), meeting.clone());
        self.0.desk.parts.tasks.spawn(async move {
            if let Err(error) = here.listen(&handle, meeting).await {
                tracing::warn!(%error, "a session that is to be written down cannot be listened to");
            }
        });
    }

    /// Goes on with what this node has not finished.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn adopt(&self) -> salon_store::Result<usize> {
        let parts = &self.0.desk.parts;
        let node = parts.hub.name();
        let unfinished = parts.store.unfinished_listenings(node).await?;
        let count = unfinished.len();
        for listening in unfinished {
            self.0.clone().take(listening);
        }
        summaries::take_up(&self.0.desk).await?;
        Ok(count)
    }

    /// Asks for a summary of a transcript; false if one is being made already.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sum_up(&self, session: &SessionId, config: &Value) -> salon_store::Result<bool> {
        summaries::ask(&self.0.desk, session, config).await
    }

    /// Publishes what nobody else will, and deletes what is over, until the node stops.
    pub async fn sweep(self) {
        let parts = &self.0.desk.parts;
        let mut every = tokio::time::interval(SWEEP_EVERY);
        while parts.stop.run_until_cancelled(every.tick()).await.is_some() {
            if let Err(error) = self.sweep_once(parts.clock.now()).await {
                tracing::warn!(%error, "transcripts that are over cannot be seen to right now");
            }
        }
    }

    /// The same once.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep_once(&self, now: Timestamp) -> salon_store::Result<()> {
        let desk = &self.0.desk;
        desk.parts.store.sweep_transcripts(&desk.terms(), now).await?;
        summaries::take_up(desk).await
    }
}

impl Here {
    async fn listen(self: Arc<Self>, handle: &Handle, meeting: Meeting) -> anyhow::Result<()> {
        let asked = handle.call(|session, _| {
            let record = session.record().filter(|record| record.ended.is_none())?;
            Some((record.started.session.clone(), !session.transcribed().is_empty()))
        });
        let Some((session, is_enabled)) = asked.await? else { return Ok(()) };
        if let Some(look) = self.looks().get(&session) {
            look.notify_one();
            return Ok(());
        }
        if !meeting.transcribe_on_end && !is_enabled {
            return Ok(());
        }
        let parts = &self.desk.parts;
        if self.looks().len() >= parts.settings.max_sessions {
            anyhow::bail!("the node listens to as many sessions as it may (transcription.max_sessions)");
        }
        let listening = Listening {
            id: fresh_id(),
            app: meeting.app,
            meeting: meeting.id,
            session,
            node: parts.hub.name().to_owned(),
            state: ListeningState::Listening,
            began_at: parts.clock.now(),
        };
        // Somebody who came at the same moment may have been first.
        if parts.store.begin_listening(&listening).await? {
            self.take(listening);
        }
        Ok(())
    }

    /// Sees to one in a task of its own.
    fn take(self: Arc<Self>, listening: Listening) {
        let look = Arc::new(Notify::new());
        self.looks().insert(listening.session.clone(), look.clone());
        self.desk.parts.tasks.clone().spawn(async move {
            let session = listening.session.clone();
            listening::run(&self.desk, listening, look).await;
            self.looks().remove(&session);
        });
    }

    fn looks(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Notify>>> {
        self.looks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn fresh_id() -> RecordingId {
    RecordingId::parse(&uuid::Uuid::new_v4().to_string()).expect("a UUID is an id")
}

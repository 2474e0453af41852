//! The live sessions of this node: one task each, found by meeting.
//! Owns the map from meeting to task; what a session is, its task and `salon-core` know.
//! Invariant: a meeting has at most one task here, and a session at most one owner among the nodes (a row in the store).
//! Reads of the live answer take a published copy: no inbox, no database.
//! Next: `hub/session_task.rs`.

mod adopt;
mod families;
mod session_task;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use salon_core::session::MeetingFacts;
use salon_core::{MeetingId, ParticipantId, PeerId, Session, Summary, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::media::Media;
use crate::telemetry::Metrics;
use salon_store::{RunId, Store};

pub use families::Families;
pub use session_task::{Push, Removed};

/// Requests one session keeps waiting. A full inbox makes callers wait their turn, so a flood slows its own meeting only.
const INBOX: usize = 1_024;

/// How often a failed session is tried again.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

/// The session's store cannot be reached or belongs to another node now; nothing was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session cannot be saved right now; try again")]
pub struct Unavailable;

/// What every session task needs of the node.
pub struct Shared {
    pub store: Store,
    pub media: Media,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub limits: salon_core::limits::Limits,
    pub families: Families,
    pub max_sockets_per_meeting: usize,
    /// This run of this node, the owner of its sessions in the store.
    pub run: RunId,
    /// The lasting name of this node.
    pub node: String,
    pub tasks: TaskTracker,
}

/// Where a session's task shows its live answer; empty while no session is live.
type Published = Arc<ArcSwapOption<Live>>;

/// The live answer about a meeting, as of its last change; any later moment is arithmetic.
pub struct Live {
    summary: Summary,
    /// The most that was ever answered in this session. While a departure is being saved readers still count its peer
    /// up to their own moment; what they were told must not shrink when the departure shows.
    told_ms: Arc<AtomicI64>,
    /// When the store was last asked whether meetings were connected with this one on other nodes.
    family_asked_at: Arc<AtomicI64>,
}

impl Deref for Live {
    type Target = Summary;

    fn deref(&self) -> &Summary {
        &self.summary
    }
}

impl Live {
    /// The answer after a change, with what was told before it if it is still the same session.
    fn after(before: Option<&Live>, summary: Summary) -> Self {
        let same = before.filter(|before| before.session == summary.session);
        let (told_ms, family_asked_at) =
            same.map(|before| (before.told_ms.clone(), before.family_asked_at.clone())).unwrap_or_default();
        Self { summary, told_ms, family_asked_at }
    }

    /// Whether it is time to ask whether other nodes have connected meetings with this one: at most once in `every_ms`.
    pub fn takes_family_question(&self, now: Timestamp, every_ms: i64) -> bool {
        let before = self.family_asked_at.load(Ordering::Relaxed);
        let due = now.0.saturating_sub(before) >= every_ms;
        due && self.family_asked_at.compare_exchange(before, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Participant-minutes up to `now`, never fewer than were told before.
    pub fn minutes_consumed(&self, now: Timestamp) -> f64 {
        let ms = self.summary.consumed_ms(now);
        let told = self.told_ms.fetch_max(ms, Ordering::Relaxed);
        ms.max(told) as f64 / 60_000.0
    }
}

/// The live sessions of this node.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
    live: Arc<RwLock<HashMap<MeetingId, Handle>>>,
}

/// The way to one session's task.
#[derive(Clone)]
pub struct Handle {
    inbox: mpsc::Sender<session_task::Input>,
    live: Published,
    /// Cancelled when the node gives the session up.
    let_go: CancellationToken,
}

impl Hub {
    pub fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), live: Arc::default() }
    }

    /// The task of a meeting, if it has one here.
    pub fn find(&self, meeting: &str) -> Option<Handle> {
        self.live.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(meeting).cloned()
    }

    /// The live answer about a meeting, as of its last change, if its session is here.
    pub fn summary(&self, meeting: &str) -> Option<Arc<Live>> {
        let live = self.live.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        live.get(meeting)?.live.load_full()
    }

    /// The task of a meeting; begins one if need be. A session that lives on another node is not taken from it.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer or another living node holds the session.
    pub async fn open(&self, facts: &MeetingFacts) -> Result<Handle, Unavailable> {
        if let Some(handle) = self.find(facts.meeting.as_str()) {
            return Ok(handle);
        }
        // A session that this node does not know may still be live in the store: left by a run that died, or elsewhere.
        let asked = async {
            let row = self.shared.store.live_session_of(&facts.meeting).await?;
            Ok::<_, salon_store::Error>((row, self.stored_family(facts).await?))
        };
        let (row, family) = asked.await.map_err(|error| {
            tracing::warn!(meeting.id = %facts.meeting, %error, "cannot ask for the live session");
            Unavailable
        })?;
        let handle = match row {
            None => self.spawn(Session::new(facts.clone(), self.shared.limits.clone()), 1),
            Some(row) => self.adopt(&row).await?,
        };
        if let Some(parent) = family {
            self.note_family(&parent);
        }
        Ok(handle)
    }

    /// Brings a meeting's session back after its task failed, as soon as the store answers.
    fn reopen(&self, facts: MeetingFacts) {
        let hub = self.clone();
        tokio::spawn(async move {
            while !hub.shared.tasks.is_closed() && hub.open(&facts).await.is_err() {
                tokio::time::sleep(REOPEN_EVERY).await;
            }
        });
    }

    /// Starts a task, unless the meeting got one meanwhile.
    fn spawn(&self, session: Session, epoch: i64) -> Handle {
        let meeting = session.facts().meeting.clone();
        let mut live = self.live.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(handle) = live.get(&meeting) {
            return handle.clone();
        }
        let (inbox, inputs) = mpsc::channel(INBOX);
        let handle = Handle { inbox, live: Arc::default(), let_go: CancellationToken::new() };
        live.insert(meeting.clone(), handle.clone());
        drop(live);
        let task = session_task::SessionTask::new(self.clone(), session, epoch, &handle, inputs);
        self.shared.tasks.spawn(task.run());
        handle
    }

    /// Forgets a task that has nothing left to do, unless somebody holds a handle to it.
    fn retire(&self, meeting: &MeetingId) -> bool {
        let mut live = self.live.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let unused = live.get(meeting).is_some_and(|handle| handle.inbox.strong_count() == 1);
        if unused {
            live.remove(meeting);
        }
        unused
    }

    /// Takes a task that failed off the map, so that the next comer begins anew from the record.
    fn drop_task(&self, meeting: &MeetingId, published: &Published) {
        let mut live = self.live.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if live.get(meeting).is_some_and(|handle| Arc::ptr_eq(&handle.live, published)) {
            live.remove(meeting);
        }
    }

    /// Lets go of every session at once, because this node can no longer prove that it is their owner: sockets close, and
    /// their clients look for the new one.
    pub fn abandon_all(&self) {
        let abandoned = std::mem::take(&mut *self.live.write().unwrap_or_else(|poisoned| poisoned.into_inner()));
        for handle in abandoned.values() {
            handle.let_go.cancel();
        }
    }

    /// Takes no more callers: each session ends when the last of those it has is gone.
    pub fn close(&self) {
        self.live.write().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }

    /// Live sessions and peers here, for the metrics.
    pub fn census(&self) -> (usize, u64) {
        let live = self.live.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let summaries = live.values().filter_map(|handle| handle.live.load_full());
        summaries.fold((0, 0), |(sessions, peers), summary| (sessions + 1, peers + u64::from(summary.live)))
    }

    pub fn media(&self) -> &Media {
        &self.shared.media
    }
}

impl Handle {
    /// Runs `act` on the session and answers when everything it changed is durable.
    ///
    /// # Errors
    /// `Unavailable` if it could not be made durable; then it did not happen.
    pub async fn call<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Session, Timestamp) -> R + Send + 'static,
    ) -> Result<R, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let act: session_task::Act = Box::new(move |session, now| {
            let result = act(session, now);
            Box::new(move || {
                // The caller may have gone; what it asked for happened all the same.
                let _ = reply.send(result);
            })
        });
        self.inbox.send(session_task::Input::Act(act)).await.map_err(|_| Unavailable)?;
        answer.await.map_err(|_| Unavailable)
    }

    /// Runs `act` without waiting for what comes of it; not at all if the session has too much to do.
    pub fn tell(&self, act: impl FnOnce(&mut Session, Timestamp) + Send + 'static) {
        let act: session_task::Act = Box::new(move |session, now| {
            act(session, now);
            Box::new(|| {})
        });
        let _ = self.inbox.try_send(session_task::Input::Act(act));
    }

    /// Binds a socket to a peer: what the session tells the peer goes there from now on. An older socket of the same
    /// peer is let go. Answers with the number of this connection, for [`Handle::detach`].
    pub async fn attach(
        &self,
        peer: PeerId,
        participant: ParticipantId,
        pushes: mpsc::Sender<Push>,
        removed: Removed,
    ) -> Result<Option<u64>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let attach = session_task::Input::Attach { peer, participant, pushes, removed, reply };
        self.inbox.send(attach).await.map_err(|_| Unavailable)?;
        answer.await.map_err(|_| Unavailable)
    }

    /// The socket is gone: on purpose, or not.
    pub async fn detach(&self, peer: PeerId, connection: u64, on_purpose: bool) {
        let _ = self.inbox.send(session_task::Input::Detach { peer, connection, on_purpose }).await;
    }
}

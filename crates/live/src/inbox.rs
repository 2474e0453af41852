//! The way to one session's task, and back to its sockets.
//! Invariant: a call is answered when everything it changed is durable, or not at all.
//! Next: `session_task.rs`, which reads the inbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use salon_core::{ParticipantId, PeerId, Session, Timestamp};
use salon_store::acting::Acting;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::answer::Live;

/// Requests one session keeps waiting. A full inbox makes callers wait their turn, so a flood slows its own meeting only.
const INBOX: usize = 1_024;

/// The session's store cannot be reached or belongs to another node now; nothing was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session cannot be saved right now; try again")]
pub struct Unavailable;

/// Where a session's task shows its live answer; empty while no session is live.
#[derive(Default)]
pub(crate) struct Published {
    live: ArcSwapOption<Live>,
    news: watch::Sender<()>,
}

impl Published {
    pub fn live(&self) -> Option<Arc<Live>> {
        self.live.load_full()
    }

    pub fn show(&self, live: Option<Live>) {
        self.live.store(live.map(Arc::new));
        self.news.send_replace(());
    }

    /// Hears each time that something else is shown.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }
}

/// Changes the session and answers with what to run once that is durable.
pub(crate) type Act = Box<dyn FnOnce(&mut Session, Timestamp) -> Release + Send>;
pub(crate) type Release = Box<dyn FnOnce() + Send>;

/// What reaches a session's task.
pub(crate) enum Input {
    /// And who answers for it, where somebody does.
    Act(Act, Option<Arc<Acting>>),
    Attach {
        newcomer: Newcomer,
        pushes: mpsc::Sender<Push>,
        removed: Removed,
        reply: oneshot::Sender<Option<u64>>,
    },
    Detach {
        peer: PeerId,
        connection: u64,
        on_purpose: bool,
    },
    /// A peer that has not joined and whose socket is gone: forget its media if it has not come back.
    Expire {
        peer: PeerId,
        connection: u64,
    },
}

/// Whom a socket speaks for.
#[derive(Debug, Clone)]
pub struct Newcomer {
    pub peer: PeerId,
    pub participant: ParticipantId,
    /// Keeps order there: places are kept for it.
    pub is_host: bool,
}

/// What a session's task tells a socket.
#[derive(Debug, Clone)]
pub enum Push {
    /// A whole frame.
    Frame(Bytes),
    /// Nothing more will come: close for good.
    Hangup,
    /// Another socket speaks for this peer now.
    Replaced,
}

/// A flag that a socket shares with its session's task, raised in the step that puts its peer out. The push that tells
/// the socket comes later, and what it asked for in between must not bring the peer back.
#[derive(Debug, Clone, Default)]
pub struct Removed(Arc<AtomicBool>);

impl Removed {
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// It is put out.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The way to one session's task.
#[derive(Clone)]
pub struct Handle {
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) live: Arc<Published>,
    /// Cancelled when the node gives the session up.
    pub(crate) let_go: CancellationToken,
}

impl Handle {
    /// And what its task reads.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Input>) {
        let (inbox, inputs) = mpsc::channel(INBOX);
        (Self { inbox, live: Arc::default(), let_go: CancellationToken::new() }, inputs)
    }

    /// Runs `act` on the session and answers when everything it changed is durable.
    ///
    /// # Errors
    /// `Unavailable` if it could not be made durable; then it did not happen.
    pub async fn call<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Session, Timestamp) -> R + Send + 'static,
    ) -> Result<R, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let act: Act = Box::new(move |session, now| {
            let result = act(session, now);
            Box::new(move || {
                // The caller may have gone; what it asked for happened all the same.
                let _ = reply.send(result);
            })
        });
        self.inbox.send(Input::Act(act, Acting::current())).await.map_err(|_| Unavailable)?;
        answer.await.map_err(|_| Unavailable)
    }

    /// Runs `act` without waiting for what comes of it; not at all if the session has too much to do.
    pub fn tell(&self, act: impl FnOnce(&mut Session, Timestamp) + Send + 'static) {
        let act: Act = Box::new(move |session, now| {
            act(session, now);
            Box::new(|| {})
        });
        let _ = self.inbox.try_send(Input::Act(act, None));
    }

    /// Binds a socket to a peer: what the session tells the peer goes there from now on. An older socket of the same
    /// peer is let go. Answers with the number of this connection, for [`Handle::detach`].
    pub async fn attach(
        &self,
        newcomer: Newcomer,
        pushes: mpsc::Sender<Push>,
        removed: Removed,
    ) -> Result<Option<u64>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let attach = Input::Attach { newcomer, pushes, removed, reply };
        self.inbox.send(attach).await.map_err(|_| Unavailable)?;
        answer.await.map_err(|_| Unavailable)
    }

    /// The socket is gone: on purpose, or not.
    pub async fn detach(&self, peer: PeerId, connection: u64, on_purpose: bool) {
        let _ = self.inbox.send(Input::Detach { peer, connection, on_purpose }).await;
    }
}

//! The driver of one session: inbox -> `Session` -> record -> outputs.
//! Owns the session and the way to its peers' sockets; decides nothing.
//! Invariant: an output leaves only after the events before it are durable, and a caller's answer leaves after the
//! pushes of everything that happened before its call.
//! Next: `salon_core::session`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prost::bytes::Bytes;
use salon_core::session::{MeetingFacts, Message, Output};
use salon_core::{EventBody, ParticipantId, PeerId, Session, Summary, Timestamp};
use salon_store::{Append, SessionAppend};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::hub::{Handle, Hub, Live, Published};
use crate::signaling::to_wire;

/// Inputs handled with one commit. More makes a burst cheaper and its first caller wait longer.
const BATCH: usize = 128;

/// How long saving is tried before the session is let go, in all.
const SAVE_FOR: Duration = Duration::from_secs(5);

/// Changes the session and answers with what to run once that is durable.
pub type Act = Box<dyn FnOnce(&mut Session, Timestamp) -> Release + Send>;
type Release = Box<dyn FnOnce() + Send>;

/// What reaches a session's task.
pub enum Input {
    Act(Act),
    Attach {
        peer: PeerId,
        participant: ParticipantId,
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

    fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Link {
    connection: u64,
    participant: ParticipantId,
    removed: Removed,
    /// `None` while the socket is gone and the peer has not joined: its media waits for it.
    pushes: Option<mpsc::Sender<Push>>,
}

pub struct SessionTask {
    hub: Hub,
    session: Session,
    /// The epoch under which this node owns the live session.
    epoch: i64,
    live: Published,
    let_go: CancellationToken,
    inputs: mpsc::Receiver<Input>,
    links: HashMap<PeerId, Link>,
    next_connection: u64,
}

/// Takes the task off the hub however it ends, a panic included.
struct OffTheMap {
    hub: Hub,
    facts: MeetingFacts,
    live: Published,
    /// It ended because there was nothing left to do, or because the hub let go of it.
    in_order: bool,
}

impl Drop for OffTheMap {
    fn drop(&mut self) {
        self.live.store(None);
        self.hub.drop_task(&self.facts.meeting, &self.live);
        if let Some(parent) = self.hub.family_of(&self.facts) {
            self.hub.family_changed(&parent);
        }
        if !self.in_order {
            // Its people come back by themselves; without any, nobody but us would see the session to its end.
            self.hub.reopen(self.facts.clone());
        }
    }
}

/// One input's consequences.
struct Step {
    release: Option<Release>,
    outputs: Vec<Output>,
    /// The session after it, if something is to be remembered.
    summary: Option<Summary>,
}

impl Step {
    /// Whether somebody came, went or has another name.
    fn changes_who_is_here(&self) -> bool {
        let events = self.outputs.iter().filter_map(|output| match output {
            Output::Remember { event, .. } => Some(&event.body),
            _ => None,
        });
        events.into_iter().any(|body| {
            use EventBody::{PeerJoined, PeerLeft, PeerRenamed, SessionEnded, SessionStarted};
            matches!(body, SessionStarted(_) | PeerJoined(_) | PeerLeft { .. } | PeerRenamed { .. } | SessionEnded { .. })
        })
    }

    fn take(session: &mut Session, release: Option<Release>) -> Self {
        let outputs = session.take_outputs();
        let remembers = outputs.iter().any(|output| matches!(output, Output::Remember { .. }));
        let summary = if remembers { session.record().map(|record| record.summary()) } else { None };
        Self { release, outputs, summary }
    }
}

impl SessionTask {
    pub fn new(hub: Hub, session: Session, epoch: i64, handle: &Handle, inputs: mpsc::Receiver<Input>) -> Self {
        let (live, let_go) = (handle.live.clone(), handle.let_go.clone());
        live.store(session.summary().map(|summary| Arc::new(Live::after(None, summary))));
        Self { hub, session, epoch, live, let_go, inputs, links: HashMap::new(), next_connection: 1 }
    }

    pub async fn run(mut self) {
        let meeting = self.session.facts().meeting.clone();
        let facts = self.session.facts().clone();
        let mut off_the_map = OffTheMap { hub: self.hub.clone(), facts, live: self.live.clone(), in_order: false };
        // What recovery found out is saved before anything else is said.
        let mut steps = vec![Step::take(&mut self.session, None)];
        loop {
            if let Err(error) = self.settle(std::mem::take(&mut steps)).await {
                tracing::error!(meeting.id = %meeting, %error, "a session cannot be saved and is let go");
                return;
            }
            if self.session.is_idle() && self.links.is_empty() && self.hub.retire(&meeting) {
                off_the_map.in_order = true;
                return;
            }
            let Some(inputs) = self.wait().await else {
                off_the_map.in_order = true;
                return;
            };
            let now = self.hub.shared.clock.now();
            if self.session.wake_at().is_some_and(|at| at <= now) {
                self.session.handle_timeout(now);
                steps.push(Step::take(&mut self.session, None));
            }
            for input in inputs {
                let release = self.handle(input, now);
                let step = Step::take(&mut self.session, release);
                self.close_doors(&step);
                steps.push(step);
            }
        }
    }

    /// Those whom a step put out can do nothing from the next step on.
    fn close_doors(&self, step: &Step) {
        for output in &step.outputs {
            let Output::Hangup { peer } = output else { continue };
            if let Some(link) = self.links.get(peer) {
                link.removed.raise();
            }
        }
    }

    /// The next inputs, none if time alone changes something; `None` if the hub has let go of this task.
    async fn wait(&mut self) -> Option<Vec<Input>> {
        let mut inputs = Vec::new();
        let idle = self.session.is_idle() && self.links.is_empty();
        let wake = match self.session.wake_at() {
            Some(at) => self.hub.shared.clock.instant(at),
            // An unused task that somebody still held a handle to looks again soon.
            None if idle => Instant::now() + Duration::from_secs(1),
            None => Instant::now() + Duration::from_secs(3_600),
        };
        tokio::select! {
            biased;
            () = self.let_go.cancelled() => None,
            received = self.inputs.recv_many(&mut inputs, BATCH) => (received > 0).then_some(inputs),
            () = tokio::time::sleep_until(wake.into()) => Some(inputs),
        }
    }

    fn handle(&mut self, input: Input, now: Timestamp) -> Option<Release> {
        match input {
            Input::Act(act) => Some(act(&mut self.session, now)),
            Input::Attach { peer, participant, pushes, removed, reply } => {
                let connection = self.attach(peer, participant, pushes, removed);
                Some(Box::new(move || {
                    let _ = reply.send(connection);
                }))
            }
            Input::Detach { peer, connection, on_purpose } => {
                self.detach(&peer, connection, on_purpose, now);
                None
            }
            Input::Expire { peer, connection } => {
                let same = self.links.get(&peer).is_some_and(|link| link.connection == connection && link.pushes.is_none());
                if same {
                    self.links.remove(&peer);
                    if !self.is_present(&peer) {
                        self.hub.shared.media.close_peer(&self.session.facts().meeting, &peer);
                    }
                }
                None
            }
        }
    }

    /// Binds a socket; `None` if the peer id is another participant's, or the meeting has its fill of sockets.
    fn attach(&mut self, peer: PeerId, participant: ParticipantId, pushes: mpsc::Sender<Push>, removed: Removed) -> Option<u64> {
        let recorded = self.session.record().filter(|record| record.ended.is_none()).and_then(|record| record.peers.get(&peer));
        if recorded.is_some_and(|known| known.who.participant != participant) {
            return None;
        }
        if self.links.len() >= self.hub.shared.max_sockets_per_meeting && !self.links.contains_key(&peer) {
            return None;
        }
        if let Some(link) = self.links.get(&peer) {
            if link.participant != participant {
                return None;
            }
            if let Some(old) = &link.pushes {
                let _ = old.try_send(Push::Replaced);
            }
        }
        let connection = self.next_connection;
        self.next_connection += 1;
        self.links.insert(peer, Link { connection, participant, removed, pushes: Some(pushes) });
        Some(connection)
    }

    fn detach(&mut self, peer: &PeerId, connection: u64, on_purpose: bool, now: Timestamp) {
        let Some(link) = self.links.get_mut(peer).filter(|link| link.connection == connection) else { return };
        link.pushes = None;
        if on_purpose {
            self.session.leave(now, peer);
        } else {
            self.session.disconnect(now, peer);
        }
        if on_purpose {
            self.links.remove(peer);
            self.hub.shared.media.close_peer(&self.session.facts().meeting, peer);
            return;
        }
        // A client that has not joined keeps its media connections over a dropped socket too (seen in web SDK 2.0.2).
        let Some(handle) = self.hub.find(self.session.facts().meeting.as_str()) else { return };
        let grace = Duration::from_millis(self.hub.shared.limits.grace_ms.max(0) as u64 + 1_000);
        let peer = peer.clone();
        // Weak: a timer must not keep a task alive that the hub has let go of.
        let inbox = handle.inbox.downgrade();
        tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            if let Some(inbox) = inbox.upgrade() {
                let _ = inbox.send(Input::Expire { peer, connection }).await;
            }
        });
    }

    fn is_present(&self, peer: &PeerId) -> bool {
        let record = self.session.record().filter(|record| record.ended.is_none());
        record.and_then(|record| record.peers.get(peer)).is_some_and(|peer| peer.is_present())
    }

    /// Saves what happened, shows it to readers, then lets answers and pushes go, in the order of the inputs.
    async fn settle(&mut self, steps: Vec<Step>) -> Result<(), salon_store::Error> {
        let sessions = self.appends(&steps);
        if !sessions.is_empty() {
            self.save(sessions).await?;
            let before = self.live.load_full();
            let after = self.session.summary().map(|summary| Live::after(before.as_deref(), summary));
            self.live.store(after.map(Arc::new));
        }
        if steps.iter().any(Step::changes_who_is_here)
            && let Some(parent) = self.hub.family_of(self.session.facts())
        {
            self.hub.note_family(&parent);
        }
        for step in steps {
            if let Some(release) = step.release {
                release();
            }
            self.deliver(step.outputs);
        }
        Ok(())
    }

    /// The events of each session touched, in order, with the index row that belongs to them.
    fn appends(&mut self, steps: &[Step]) -> Vec<SessionAppend> {
        let mut appends: Vec<SessionAppend> = Vec::new();
        for step in steps {
            let Some(summary) = &step.summary else { continue };
            for output in &step.outputs {
                let Output::Remember { session, event } = output else { continue };
                if matches!(event.body, EventBody::SessionStarted(_)) {
                    self.epoch = 1;
                }
                match appends.last_mut().filter(|append| append.summary.session == *session) {
                    Some(append) => append.events.push(event.clone()),
                    None => {
                        appends.push(SessionAppend { epoch: self.epoch, events: vec![event.clone()], summary: summary.clone() })
                    }
                }
            }
            if let Some(append) = appends.last_mut() {
                append.summary = summary.clone();
            }
        }
        appends
    }

    async fn save(&mut self, sessions: Vec<SessionAppend>) -> Result<(), salon_store::Error> {
        let count = sessions.iter().map(|append| append.events.len() as u64).sum();
        let append = Append { run: self.hub.shared.run.clone(), sessions };
        let began = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            match self.hub.shared.store.append(append.clone()).await {
                Ok(()) => break,
                Err(error) if error.is_unavailable() && began.elapsed() < SAVE_FOR => {
                    tracing::warn!(meeting.id = %self.session.facts().meeting, %error, "saving a session failed, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
        self.hub.shared.metrics.committed(count, began.elapsed());
        Ok(())
    }

    fn deliver(&mut self, outputs: Vec<Output>) {
        // A message to many is encoded once: its copies follow each other.
        let mut encoded: Option<(Message, Bytes)> = None;
        for output in outputs {
            match output {
                Output::Remember { .. } => {}
                Output::Send { to, message } => {
                    let frame = match &encoded {
                        Some((same, frame)) if *same == message => frame.clone(),
                        _ => {
                            let frame = to_wire::frame(&message, self.session.facts());
                            encoded = Some((message, frame.clone()));
                            frame
                        }
                    };
                    self.push(&to, Push::Frame(frame));
                }
                Output::Media(order) => self.hub.shared.media.obey(&self.session.facts().meeting, order),
                Output::Hangup { peer } => self.push(&peer, Push::Hangup),
            }
        }
    }

    fn push(&mut self, to: &PeerId, push: Push) {
        let Some(link) = self.links.get_mut(to) else { return };
        let Some(pushes) = &link.pushes else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = pushes.try_send(push) {
            // It does not read what it is told: its socket sees the channel close, hangs up, and the client comes back.
            tracing::debug!(peer.id = %to, "a socket that does not keep up is dropped");
            self.hub.shared.metrics.slow_socket();
            link.pushes = None;
        }
    }
}

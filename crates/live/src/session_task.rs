//! The driver of one session: inbox -> `Session` -> record -> outputs.
//! Owns the session and the way to its peers' sockets; decides nothing.
//! Invariant: an output leaves only after the events before it are durable, and a caller's answer leaves after the
//! pushes of everything that happened before its call.
//! Next: `salon_core::session`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use salon_core::session::{MeetingFacts, Message, Output};
use salon_core::{EventBody, ParticipantId, PeerId, Session, Summary, Timestamp};
use salon_handover::{Guest, Parcel, Part, Phase};
use salon_store::acting::{Act, Acting};
use salon_store::{Append, PeerRow, SessionAppend};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::answer::Live;
use crate::families::Families;
use crate::handed::{self, Handed, SESSION};
use crate::inbox::{Handle, Input, Newcomer, Published, Push, Release, Removed};
use crate::node::Node;
use crate::places::{Bounds, Holder, place};

/// Inputs handled with one commit. More makes a burst cheaper and its first caller wait longer.
const BATCH: usize = 128;

/// How long saving is tried before the session is let go, in all.
const SAVE_FOR: Duration = Duration::from_secs(5);

struct Link {
    connection: u64,
    participant: ParticipantId,
    is_host: bool,
    removed: Removed,
    /// `None` while the socket is gone and the peer has not joined: its media waits for it.
    pushes: Option<mpsc::Sender<Push>>,
}

struct SessionTask {
    node: Arc<Node>,
    families: Families,
    session: Session,
    /// The epoch under which this node owns the live session.
    epoch: i64,
    /// How much the session's time is ahead of the node's clock.
    ahead_ms: i64,
    live: Arc<Published>,
    let_go: CancellationToken,
    inputs: mpsc::Receiver<Input>,
    links: HashMap<PeerId, Link>,
    next_connection: u64,
    guest: Guest,
}

/// Why a task ends.
#[derive(Debug)]
enum End {
    /// There is nothing left to do, or the node takes no more callers.
    Over,
    /// The node has let go of all its sessions.
    LetGo,
    /// It cannot be saved.
    Unsaved(salon_store::Error),
}

impl End {
    /// Whether the session may be this node's still: its people come back by themselves; without any, nobody but us would
    /// see it to its end.
    fn leaves_it_ours(&self) -> bool {
        match self {
            End::Over => false,
            End::LetGo => true,
            // Somebody else has it, or has ended it.
            End::Unsaved(error) => !matches!(error, salon_store::Error::NotOwner | salon_store::Error::Conflict(_)),
        }
    }
}

/// Takes the task off the map however it ends, a panic included.
struct OffTheMap {
    node: Arc<Node>,
    families: Families,
    facts: MeetingFacts,
    live: Arc<Published>,
    let_go: CancellationToken,
    ahead_ms: i64,
    /// The session may be this node's still.
    goes_on: bool,
    /// It is not over, but this task is.
    is_given_up: bool,
}

impl Drop for OffTheMap {
    fn drop(&mut self) {
        if self.goes_on {
            self.node.fallen.add(self.facts.clone(), self.node.seen().plus_ms(self.ahead_ms));
        }
        if self.is_given_up {
            // Nobody is to take it for live from here on.
            self.let_go.cancel();
            // Whoever goes on with it has other connections, and may put people out whom this node would pass on.
            self.node.outlets.media.take_down(&self.facts.meeting);
        }
        self.live.show(None);
        self.node.table.remove(&self.facts.meeting, &self.live);
        if let Some(parent) = self.families.of(&self.facts) {
            self.families.changed(&parent);
        }
    }
}

/// Starts a task, unless the meeting has one; answers with the one it has now. The session's time may be ahead of the node's.
pub(crate) fn start(node: &Arc<Node>, families: &Families, session: Session, epoch: i64, ahead_ms: i64) -> Handle {
    let (handle, inputs) = Handle::new();
    handle.live.show(session.summary().map(|summary| Live::after(None, summary, ahead_ms, &node.told, &handle.let_go)));
    if let Err(there) = node.table.insert(&session.facts().meeting, &handle) {
        return there;
    }
    let task = SessionTask {
        node: node.clone(),
        families: families.clone(),
        session,
        epoch,
        ahead_ms,
        live: handle.live.clone(),
        let_go: handle.let_go.clone(),
        inputs,
        links: HashMap::new(),
        next_connection: 1,
        guest: node.passage.enter(Part::Session),
    };
    node.tasks.spawn(task.run());
    handle
}

/// One input's consequences.
struct Step {
    release: Option<Release>,
    outputs: Vec<Output>,
    /// The session after it, if something is to be remembered.
    summary: Option<Summary>,
    /// Who answers for it, where somebody does.
    acting: Option<Arc<Acting>>,
    /// Where those are whom its events concern.
    peers: Vec<PeerRow>,
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
        let remembered = || {
            outputs.iter().filter_map(|output| match output {
                Output::Remember { event, .. } => Some(&event.body),
                _ => None,
            })
        };
        let record = session.record().filter(|_| remembered().next().is_some());
        let summary = record.map(|record| record.summary());
        let peers = record.map(|record| PeerRow::changed(record, remembered())).unwrap_or_default();
        Self { release, outputs, summary, peers, acting: None }
    }
}

impl SessionTask {
    async fn run(mut self) {
        let facts = self.session.facts().clone();
        let (node, families, live) = (self.node.clone(), self.families.clone(), self.live.clone());
        let (let_go, ahead_ms) = (self.let_go.clone(), self.ahead_ms);
        let mut off_the_map = OffTheMap { node, families, facts, live, let_go, ahead_ms, goes_on: true, is_given_up: true };
        let end = self.serve().await;
        if let End::Unsaved(error) = &end {
            tracing::error!(meeting.id = %off_the_map.facts.meeting, %error, "a session cannot be saved and is let go");
        }
        off_the_map.goes_on = end.leaves_it_ours();
        off_the_map.is_given_up = !matches!(end, End::Over);
    }

    async fn serve(&mut self) -> End {
        let meeting = self.session.facts().meeting.clone();
        // What recovery found out is saved before anything else is said.
        let mut steps = vec![Step::take(&mut self.session, None)];
        loop {
            if let Err(end) = self.settle(std::mem::take(&mut steps)).await {
                return end;
            }
            if self.session.is_idle() && self.links.is_empty() && self.node.table.retire(&meeting) {
                return End::Over;
            }
            if self.ahead_ms > 0 && self.session.summary().is_none() {
                // The next session of this meeting is not to begin in the other's time. Who waits comes again.
                return End::Over;
            }
            let inputs = match self.wait().await {
                Ok(inputs) => inputs,
                Err(end) => return end,
            };
            // What it is now another node may know better: callers wait until that is known.
            if self.let_go.run_until_cancelled(self.node.is_held_again()).await != Some(true) {
                return End::LetGo;
            }
            if let Some(live) = self.live.live() {
                live.saving(self.node.clock.now());
            }
            let now = self.now();
            if self.session.wake_at().is_some_and(|at| at <= now) {
                self.session.handle_timeout(now);
                steps.push(Step::take(&mut self.session, None));
            }
            for input in inputs {
                let acting = match &input {
                    Input::Act(_, acting) => acting.clone(),
                    _ => None,
                };
                let release = self.handle(input, now);
                let step = Step { acting, ..Step::take(&mut self.session, release) };
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

    /// The session's time.
    fn now(&self) -> Timestamp {
        self.node.clock.now().plus_ms(self.ahead_ms)
    }

    /// The next inputs, none if time alone changes something.
    async fn wait(&mut self) -> Result<Vec<Input>, End> {
        let mut inputs = Vec::new();
        let idle = self.session.is_idle() && self.links.is_empty();
        let wake = match self.session.wake_at() {
            Some(at) => self.node.clock.instant(at.plus_ms(-self.ahead_ms)),
            // An unused task that somebody still held a handle to looks again soon.
            None if idle => Instant::now() + Duration::from_secs(1),
            None => Instant::now() + Duration::from_secs(3_600),
        };
        tokio::select! {
            biased;
            () = self.let_go.cancelled() => Err(End::LetGo),
            received = self.inputs.recv_many(&mut inputs, BATCH) => if received > 0 { Ok(inputs) } else { Err(End::Over) },
            () = self.guest.reaches(Phase::Settling) => {
                // All that was asked is done, and what is asked from now on is for the next process.
                self.guest.pack(self.pack());
                self.guest.report();
                self.let_go.run_until_cancelled(self.guest.is_over()).await.map(|()| Vec::new()).ok_or(End::LetGo)
            }
            () = tokio::time::sleep_until(wake.into()) => Ok(inputs),
        }
    }

    /// What the next process needs beside the record.
    fn pack(&self) -> Parcel {
        let standing = |peer: &PeerId| Some((peer.clone(), self.session.standing(peer)?));
        let handed = Handed {
            carried: self.session.summary().map(|_| self.session.carry()),
            standings: self.links.keys().filter_map(standing).collect(),
        };
        let note = handed::note(&self.session.facts().meeting, &handed);
        Parcel { what: SESSION.to_owned(), note, ..Parcel::default() }
    }

    fn handle(&mut self, input: Input, now: Timestamp) -> Option<Release> {
        match input {
            Input::Act(act, _) => Some(act(&mut self.session, now)),
            Input::Attach { newcomer, pushes, removed, reply } => {
                let connection = self.attach(newcomer, pushes, removed);
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
                        self.node.outlets.media.forget(&self.session.facts().meeting, &peer);
                    }
                }
                None
            }
        }
    }

    /// Binds a socket; `None` if the peer id is another participant's, or there are too many sockets.
    fn attach(&mut self, newcomer: Newcomer, pushes: mpsc::Sender<Push>, removed: Removed) -> Option<u64> {
        let Newcomer { peer, participant, is_host } = newcomer;
        let recorded = self.session.record().filter(|record| record.ended.is_none()).and_then(|record| record.peers.get(&peer));
        if recorded.is_some_and(|known| known.who.participant != participant) {
            return None;
        }
        if !self.links.contains_key(&peer) {
            self.make_place(&participant, is_host)?;
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
        self.links.insert(peer, Link { connection, participant, is_host, removed, pushes: Some(pushes) });
        Some(connection)
    }

    /// Makes sure that there is a place for one more socket of this participant; `None` if there is none.
    fn make_place(&mut self, participant: &ParticipantId, is_host: bool) -> Option<()> {
        let held = self.links.iter().map(|(peer, link)| Holder {
            peer,
            participant: &link.participant,
            connection: link.connection,
            is_host: link.is_host,
            is_in: self.session.is_waiting(peer) || self.is_present(peer),
            has_socket: link.pushes.is_some(),
        });
        let held: Vec<Holder<'_>> = held.collect();
        let bounds = Bounds { per_participant: self.node.limits.max_tabs, in_all: self.node.max_sockets_per_meeting };
        let goes = place(participant, is_host, &held, &bounds).ok()?;
        if let Some(peer) = goes.cloned() {
            // Its socket, if it has one, sees the channel close and hangs up.
            self.links.remove(&peer);
            self.node.outlets.media.forget(&self.session.facts().meeting, &peer);
        }
        Some(())
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
            self.node.outlets.media.forget(&self.session.facts().meeting, peer);
            return;
        }
        // A client that has not joined keeps its media connections over a dropped socket too (seen in web SDK 2.0.2).
        let Some(handle) = self.node.table.find(self.session.facts().meeting.as_str()) else { return };
        let grace = Duration::from_millis(self.node.limits.grace_ms.max(0) as u64 + 1_000);
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
    async fn settle(&mut self, steps: Vec<Step>) -> Result<(), End> {
        let sessions = self.appends(&steps);
        if !sessions.is_empty() {
            let before = self.live.live();
            // Those of steps that changed nothing have nothing to be written with.
            let acting = steps.iter().filter(|step| step.summary.is_some()).filter_map(|step| step.acting.clone());
            let acting: Vec<_> = acting.filter(|acting| !acting.is_settled()).collect();
            self.save(sessions, acting.iter().map(|acting| acting.act()).collect()).await?;
            for acting in acting {
                acting.settle();
            }
            let summary = self.session.summary();
            let (told, let_go) = (&self.node.told, &self.let_go);
            self.live.show(summary.map(|summary| Live::after(before.as_deref(), summary, self.ahead_ms, told, let_go)));
            if let Some(before) = &before {
                before.saved();
            }
        } else if let Some(live) = self.live.live() {
            live.saved();
        }
        if let Some(live) = self.live.live() {
            live.waits(self.session.waiting_count());
        }
        if steps.iter().any(Step::changes_who_is_here)
            && let Some(parent) = self.families.of(self.session.facts())
        {
            self.families.note(&parent);
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
                let Output::Remember { session, event, notices } = output else { continue };
                if matches!(event.body, EventBody::SessionStarted(_)) {
                    self.epoch = 1;
                }
                if appends.last().is_none_or(|append| append.summary.session != *session) {
                    let (epoch, summary) = (self.epoch, summary.clone());
                    let (events, notices, peers) = (Vec::new(), Vec::new(), Vec::new());
                    appends.push(SessionAppend { epoch, events, notices, peers, summary });
                }
                if let Some(append) = appends.last_mut() {
                    append.events.push(event.clone());
                    append.notices.extend(notices.iter().cloned());
                }
            }
            if let Some(append) = appends.last_mut() {
                append.summary = summary.clone();
                append.peers.extend(step.peers.iter().filter(|row| row.session == summary.session).cloned());
            }
        }
        appends
    }

    async fn save(&mut self, sessions: Vec<SessionAppend>, acts: Vec<Act>) -> Result<(), End> {
        let count = sessions.iter().map(|append| append.events.len() as u64).sum();
        let append = Append { run: self.node.run.clone(), sessions, acts };
        let began = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            // What was begun happens even if the node lets go meanwhile; whoever goes on shuts it out by its epoch.
            let saved = self.let_go.run_until_cancelled(self.node.store.append(append.clone())).await;
            match saved.ok_or(End::LetGo)? {
                Ok(()) => break,
                Err(error) if error.is_unavailable() && began.elapsed() < SAVE_FOR => {
                    tracing::warn!(meeting.id = %self.session.facts().meeting, %error, "saving a session failed, trying again");
                    self.let_go.run_until_cancelled(tokio::time::sleep(pause)).await.ok_or(End::LetGo)?;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(End::Unsaved(error)),
            }
        }
        self.node.figures.committed(count, began.elapsed());
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
                            let frame = (self.node.outlets.frame)(&message, self.session.facts());
                            encoded = Some((message, frame.clone()));
                            frame
                        }
                    };
                    self.push(&to, Push::Frame(frame));
                }
                Output::Media(order) => self.node.outlets.media.obey(&self.session.facts().meeting, order),
                Output::StopRecording { recording, why } => (self.node.outlets.stop_recording)(&recording, &why),
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
            self.node.figures.slow_socket();
            link.pushes = None;
        }
    }
}

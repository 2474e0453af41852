//! The live sessions of one app, for all who watch them: states, not events, because an app's sessions have no common number.
//! Owns the last state of each, encoded once, and the channel on which all hear what is new.
//! Invariant: a state never gives way to an older one of the same session; a session is gone when its record says so.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use salon_core::{AppId, SessionId, Summary};
use salon_quality::Worst;
use salon_store::{LiveFilter, SessionRow};
use salon_wire::rest::live_sessions as wire;
use tokio::sync::broadcast;
use tokio::time::sleep;

use crate::people::{Marks, live_session};
use crate::rest::beside::{Beside, elsewhere};
use crate::rest::error::ApiError;
use crate::rest::watching::audience::{Audience, Vigil};
use crate::rest::watching::frame::{Frame, What, aside, list};
use crate::rest::watching::sources::Sources;
use crate::rfc3339::rfc3339;

/// How often it is told what is new: more often tells sooner and costs a look at all sessions of the node.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// How often the store is asked what other nodes run, in turns of the above; each time for all live sessions of the app.
const STORE_IN: u32 = 4;

/// How often it is looked how calls are, in the same turns: what is judged is a quarter of a minute long.
const CALLS_IN: u32 = 16;

/// How often other nodes are asked what only they know.
const ASK_EVERY: Duration = Duration::from_secs(4);

/// Sessions in one event.
const AT_ONCE: usize = 500;

/// Events that one who watches may be behind: with four a second, more than half a minute.
const KEPT: usize = 256;

/// The live sessions of an app.
pub struct Board {
    app: AppId,
    sources: Sources,
    lines: Mutex<BTreeMap<SessionId, Line>>,
    beside: Mutex<Known>,
    pub audience: Audience,
}

/// What is known beside the records, as it was last looked.
#[derive(Default)]
struct Known {
    recorded: HashSet<SessionId>,
    /// Of those that run here.
    worst: HashMap<SessionId, Worst>,
    /// Those that other nodes run, and what these tell of them.
    others: Vec<SessionRow>,
    elsewhere: HashMap<SessionId, Beside>,
}

/// A session as it was found.
struct Found {
    summary: Summary,
    node: String,
    /// If it runs here.
    waiting: Option<u64>,
}

/// One session.
struct Line {
    summary: Summary,
    node: String,
    marks: Marks,
    /// Encoded.
    item: Bytes,
}

impl Line {
    fn of(summary: Summary, node: String, marks: Marks) -> Self {
        let item = serde_json::to_vec(&live_session(&summary, &node, marks)).expect("a session is plain data").into();
        Self { summary, node, marks, item }
    }
}

impl Board {
    pub fn new(app: AppId, sources: Sources) -> Self {
        Self { app, sources, lines: Mutex::default(), beside: Mutex::default(), audience: Audience::new(KEPT) }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<SessionId, Line>> {
        self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn beside(&self) -> MutexGuard<'_, Known> {
        self.beside.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// All there are, and what follows.
    pub fn join(&self) -> (Vec<Bytes>, broadcast::Receiver<Frame>) {
        let lines = self.lines();
        let items: Vec<&Bytes> = lines.values().map(|line| &line.item).collect();
        let mut said = vec![Bytes::from_static(b"event: begin\ndata: {}\n\n")];
        said.extend(items.chunks(AT_ONCE).map(sessions));
        said.push(Bytes::from_static(b"event: end\ndata: {}\n\n"));
        (said, self.audience.join())
    }

    /// Looks and tells until nobody hears it any more: then `forget` is asked, and if it says so that is the end.
    pub async fn follow(self: Arc<Self>, forget: impl Fn(&Arc<Self>) -> bool) {
        // Another node that stands still must not keep what is known from being told.
        tokio::select! {
            () = self.look_on(forget) => {}
            () = self.ask_on() => {}
        }
    }

    /// Asks other nodes what they know beside the records of theirs, for as long as it is followed.
    async fn ask_on(&self) {
        loop {
            let rows = self.beside().others.clone();
            let known = elsewhere(&self.sources.teller, &rows).await;
            self.beside().elsewhere = known;
            sleep(if rows.is_empty() { TELL_EVERY } else { ASK_EVERY }).await;
        }
    }

    async fn look_on(self: &Arc<Self>, forget: impl Fn(&Arc<Self>) -> bool) {
        let (mut turn, mut vigil) = (0_u32, Vigil::begin());
        loop {
            match self.look(turn.is_multiple_of(STORE_IN), turn.is_multiple_of(CALLS_IN)).await {
                Ok(()) => vigil.looked(&self.audience),
                Err(error) => {
                    tracing::debug!(app.id = %self.app, ?error, "cannot tell which sessions are live; trying again");
                    vigil.failed(&self.audience);
                }
            }
            turn = turn.wrapping_add(1);
            sleep(TELL_EVERY).await;
            if vigil.is_over(&self.audience) && forget(self) {
                return;
            }
        }
    }

    /// Looks once: in memory, and in the store for those of other nodes.
    async fn look(&self, in_store: bool, at_calls: bool) -> Result<(), ApiError> {
        let Sources { store, teller, quality } = &self.sources;
        let (now, own) = (teller.clock.now(), teller.hub.name().to_owned());
        let mut found: BTreeMap<SessionId, Found> = BTreeMap::new();
        // Others write to a store that is shared.
        if in_store && store.is_shared() {
            let mut others = store.all_live_sessions(&self.app, &LiveFilter::default()).await?;
            others.retain(|row| row.owner_node != own);
            for row in &others {
                // One that goes by a time that only its owner knows is told of by that one.
                let Ok(at) = teller.hub.elsewhere(row) else { continue };
                teller.told(at)?;
                let (summary, node) = (row.summary.clone(), row.owner_node.clone());
                found.insert(summary.session.clone(), Found { summary, node, waiting: None });
            }
            self.beside().others = others;
        }
        for live in teller.hub.live_of(&self.app, now)? {
            let told = teller.told(live.at(now))?;
            let summary = live.summary(&told);
            let (summary, waiting) = (summary.clone(), Some(live.waiting()));
            found.insert(summary.session.clone(), Found { summary, node: own.clone(), waiting });
        }
        if in_store {
            // How sessions stand is told also while the store is away.
            if let Ok(recorded) = store.recorded_sessions(&self.app).await {
                self.beside().recorded = recorded;
            }
        }
        if at_calls {
            let own = found.iter().filter(|(_, found)| found.node == own);
            let began = own.map(|(id, found)| (id.clone(), found.summary.started_at)).collect();
            self.beside().worst = quality.worst(&began, now);
        }
        let missing: Vec<(SessionId, bool)> = {
            let lines = self.lines();
            let missing = lines.iter().filter(|(id, _)| !found.contains_key(*id));
            missing.map(|(id, line)| (id.clone(), line.node == own)).collect()
        };
        let mut gone = Vec::new();
        for (id, is_own) in missing {
            // Those of other nodes are missing whenever the store was not asked.
            if !is_own && !in_store {
                continue;
            }
            if let Some(row) = store.session_row(&self.app, &id).await?
                && let Some(ended_at) = row.summary.ended_at
            {
                gone.push(wire::GoneSession {
                    session_id: id.to_string(),
                    meeting_id: row.summary.meeting.to_string(),
                    seq: row.summary.seq,
                    ended_at: rfc3339(ended_at),
                });
                self.lines().remove(&id);
            }
        }
        self.tell(found, gone);
        Ok(())
    }

    /// Tells what is new of what was found.
    fn tell(&self, found: BTreeMap<SessionId, Found>, gone: Vec<wire::GoneSession>) {
        let beside = self.beside();
        let mut lines = self.lines();
        let mut new = Vec::new();
        for (id, Found { summary, node, waiting }) in found {
            let recording = beside.recorded.contains(&id);
            let marks = match waiting {
                Some(_) => Marks { recording, waiting, worst: beside.worst.get(&id).copied() },
                None => {
                    let Beside { waiting, worst } = beside.elsewhere.get(&id).copied().unwrap_or_default();
                    Marks { recording, waiting, worst }
                }
            };
            let known = lines.get(&id).map(|line| (line.summary.seq, line.node != node || line.marks != marks));
            if known.is_none_or(|(seq, differs)| seq < summary.seq || (seq == summary.seq && differs)) {
                let line = Line::of(summary, node, marks);
                new.push(line.item.clone());
                lines.insert(id, line);
            }
        }
        for items in new.iter().collect::<Vec<_>>().chunks(AT_ONCE) {
            self.audience.tell(Frame { what: What::State, text: sessions(items) });
        }
        if !gone.is_empty() {
            self.audience.tell(Frame { what: What::State, text: aside("gone", &wire::GoneSessions { gone }) });
        }
    }
}

/// `event: sessions` with these.
fn sessions(items: &[&Bytes]) -> Bytes {
    list("sessions", items.iter().map(|item| item.as_ref()))
}

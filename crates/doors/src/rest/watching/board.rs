//! The live sessions of one app, for all who watch them: states, not events, because an app's sessions have no common number.
//! Owns the last state of each, encoded once, and the channel on which all hear what is new.
//! Invariant: a state never gives way to an older one of the same session; a session is gone when its record says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use salon_core::{AppId, SessionId, Summary};
use salon_store::LiveFilter;
use salon_wire::rest::live_sessions as wire;
use tokio::sync::broadcast;
use tokio::time::sleep;

use crate::people::{Marks, live_session};
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

/// Sessions in one event.
const AT_ONCE: usize = 500;

/// Events that one who watches may be behind: with four a second, more than half a minute.
const KEPT: usize = 256;

/// The live sessions of an app.
pub struct Board {
    app: AppId,
    sources: Sources,
    lines: Mutex<BTreeMap<SessionId, Line>>,
    /// Beside the records, as it was last looked.
    marks: Mutex<BTreeMap<SessionId, Marks>>,
    pub audience: Audience,
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
        Self { app, sources, lines: Mutex::default(), marks: Mutex::default(), audience: Audience::new(KEPT) }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<SessionId, Line>> {
        self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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
            if vigil.is_over(&self.audience) && forget(&self) {
                return;
            }
        }
    }

    /// Looks once: in memory, and in the store for those of other nodes.
    async fn look(&self, in_store: bool, at_calls: bool) -> Result<(), ApiError> {
        let Sources { store, teller, quality } = &self.sources;
        let (now, own) = (teller.clock.now(), teller.hub.name().to_owned());
        let mut found: BTreeMap<SessionId, (Summary, String)> = BTreeMap::new();
        // Others write to a store that is shared.
        if in_store && store.is_shared() {
            for row in
                store.all_live_sessions(&self.app, &LiveFilter::default()).await?.into_iter().filter(|row| row.owner_node != own)
            {
                // One that goes by a time that only its owner knows is told of by that one.
                let Ok(at) = teller.hub.elsewhere(&row) else { continue };
                teller.told(at)?;
                found.insert(row.summary.session.clone(), (row.summary, row.owner_node));
            }
        }
        for live in teller.hub.live_of(&self.app, now)? {
            let told = teller.told(live.at(now))?;
            let summary = live.summary(&told);
            found.insert(summary.session.clone(), (summary.clone(), own.clone()));
        }
        if in_store {
            // How sessions stand is told also while the store is away.
            let recorded = store.recorded_sessions(&self.app).await;
            let mut marks = self.marks.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if let Ok(recorded) = recorded {
                marks.values_mut().for_each(|marks| marks.recording = false);
                recorded.into_iter().for_each(|id| marks.entry(id).or_default().recording = true);
            }
            if at_calls {
                let own = found.iter().filter(|(_, (_, node))| *node == own);
                let began = own.map(|(id, (summary, _))| (id.clone(), summary.started_at)).collect();
                marks.values_mut().for_each(|marks| marks.worst = None);
                quality.worst(&began, now).into_iter().for_each(|(id, worst)| marks.entry(id).or_default().worst = Some(worst));
            }
            marks.retain(|_, marks| *marks != Marks::default());
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
    fn tell(&self, found: BTreeMap<SessionId, (Summary, String)>, gone: Vec<wire::GoneSession>) {
        let marks = self.marks.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let mut lines = self.lines();
        let mut new = Vec::new();
        for (id, (summary, node)) in found {
            let marks = marks.get(&id).copied().unwrap_or_default();
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

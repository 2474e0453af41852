//! Which appends of a batch may be written, decided from what is stored. Pure.
//! Invariant: an append's sessions are accepted together or leave no trace in what later ones are judged by.
//! Next: `write.rs`, which loads `Stored` and writes the `Plan`.

use std::collections::{BTreeMap, HashMap, HashSet};

use salon_core::{AppId, Event, MeetingId, PeerId, SessionId, Summary};

use crate::acting::Act;
use crate::append::{Append, SessionAppend};
use crate::error::{Error, Result, Rule};
use crate::outbox::entries::{Entry, Hook};
use crate::peer_row::PeerRow;
use crate::run_id::RunId;

/// What the database holds about the sessions, meetings and runs that a batch names.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub sessions: HashMap<SessionId, StoredSession>,
    /// The live session of each meeting in which one is to begin.
    pub live: HashMap<MeetingId, SessionId>,
    /// The node that each run is the latest run of.
    pub nodes: HashMap<RunId, String>,
    /// Appends, by position, whose every event is stored already, exactly as it is.
    pub repeats: HashSet<usize>,
    /// Who wants to be told of news in each app.
    pub hooks: HashMap<AppId, Vec<Hook>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredSession {
    pub run: RunId,
    pub epoch: i64,
    pub last_seq: u64,
    pub ended: bool,
}

/// What to write, and the answer for each append.
#[derive(Default)]
pub(super) struct Plan<'a> {
    /// Sessions that begin, in order, by the append that begins them.
    pub begun: Vec<(usize, Begun<'a>)>,
    /// Sessions that go on or end, with the last of their appends.
    pub changed: BTreeMap<&'a SessionId, (&'a RunId, &'a SessionAppend)>,
    pub events: Vec<(&'a SessionId, &'a Event)>,
    /// Where peers are after them.
    pub peers: BTreeMap<(&'a SessionId, &'a PeerId), &'a PeerRow>,
    /// Sessions that end.
    pub ended: Vec<&'a Summary>,
    /// What webhooks are to be told of them.
    pub entries: Vec<Entry>,
    /// What the audit log is to say of them.
    pub acts: Vec<Act>,
    pub outcomes: Vec<Result<()>>,
}

/// A session to be inserted as it is after the last of its appends.
pub(super) struct Begun<'a> {
    pub node: String,
    pub run: &'a RunId,
    pub last: &'a SessionAppend,
}

/// Judges `appends` in order. Those in `lost` were seen to fail against rows that appeared after loading.
pub(super) fn plan<'a>(mut stored: Stored, appends: &'a [Append], lost: &HashSet<usize>) -> Plan<'a> {
    let mut plan = Plan::default();
    for (index, append) in appends.iter().enumerate() {
        let outcome = if stored.repeats.contains(&index) {
            Ok(())
        } else if lost.contains(&index) {
            Err(Error::Conflict(Rule::LiveSessionExists))
        } else {
            accept(&mut stored, append)
        };
        // Made again while the first try was still in the queue: the answer is the same.
        let twin = outcome.is_err().then(|| appends[..index].iter().position(|earlier| earlier == append)).flatten();
        if let Some(twin) = twin {
            plan.outcomes.push(plan.outcomes[twin].clone());
            continue;
        }
        if outcome.is_ok() && !stored.repeats.contains(&index) {
            plan.add(&stored, index, append);
        }
        plan.outcomes.push(outcome);
    }
    plan
}

impl<'a> Plan<'a> {
    fn add(&mut self, stored: &Stored, index: usize, append: &'a Append) {
        self.acts.extend(append.acts.iter().cloned());
        for last in &append.sessions {
            let Some(first) = last.events.first() else { continue };
            let session = &last.summary.session;
            if first.seq == 1 {
                let node = stored.nodes.get(&append.run).cloned().unwrap_or_default();
                self.begun.push((index, Begun { node, run: &append.run, last }));
            } else if let Some((_, begun)) = self.begun.iter_mut().find(|(_, begun)| begun.last.summary.session == *session) {
                begun.last = last;
            } else {
                self.changed.insert(session, (&append.run, last));
            }
            self.events.extend(last.events.iter().map(|event| (session, event)));
            self.peers.extend(last.peers.iter().map(|row| ((&row.session, &row.peer), row)));
            self.ended.extend(Some(&last.summary).filter(|summary| summary.ended_at.is_some()));
            for notice in &last.notices {
                let hooks = stored.hooks.get(&notice.app).into_iter().flatten();
                self.entries.extend(hooks.filter_map(|hook| hook.entry(notice)));
            }
        }
    }
}

/// Takes the append into `stored` if all of it may be, and leaves `stored` alone if not.
fn accept(stored: &mut Stored, append: &Append) -> Result<()> {
    let mut undo = Vec::new();
    for session in &append.sessions {
        let (id, meeting) = (&session.summary.session, &session.summary.meeting);
        match next(stored, &append.run, session) {
            Ok(Some(next)) => {
                let (ended, begins) = (next.ended, session.events.first().is_some_and(|event| event.seq == 1));
                let was = stored.sessions.insert(id.clone(), next);
                let was_live = stored.live.get(meeting).cloned();
                if ended {
                    if was_live.as_ref() == Some(id) {
                        stored.live.remove(meeting);
                    }
                } else if begins {
                    stored.live.insert(meeting.clone(), id.clone());
                }
                undo.push((id, was, meeting, was_live));
            }
            Ok(None) => {}
            Err(refusal) => {
                for (id, was, meeting, was_live) in undo.into_iter().rev() {
                    restore(&mut stored.sessions, id, was);
                    restore(&mut stored.live, meeting, was_live);
                }
                return Err(refusal);
            }
        }
    }
    Ok(())
}

fn restore<K: Clone + Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: &K, was: Option<V>) {
    match was {
        Some(was) => map.insert(key.clone(), was),
        None => map.remove(key),
    };
}

/// The session after `append`, if `run` may make it so; `None` if it says nothing.
fn next(stored: &Stored, run: &RunId, append: &SessionAppend) -> Result<Option<StoredSession>> {
    let (Some(first), Some(last)) = (append.events.first(), append.events.last()) else { return Ok(None) };
    let summary = &append.summary;
    let mut last_seq = 0;
    if let Some(session) = stored.sessions.get(&summary.session) {
        if session.run != *run || session.epoch != append.epoch {
            return Err(Error::NotOwner);
        }
        if session.ended {
            return Err(Error::Conflict(Rule::SessionEnded));
        }
        last_seq = session.last_seq;
    }
    let follows = append.events.iter().zip(last_seq + 1..).all(|(event, seq)| event.seq == seq);
    if !follows {
        return Err(Error::Conflict(Rule::NotContiguous));
    }
    if first.seq == 1 {
        if !stored.nodes.contains_key(run) {
            return Err(Error::NotOwner);
        }
        if stored.live.contains_key(&summary.meeting) {
            return Err(Error::Conflict(Rule::LiveSessionExists));
        }
    }
    Ok(Some(StoredSession { run: run.clone(), epoch: append.epoch, last_seq: last.seq, ended: summary.ended_at.is_some() }))
}

#[cfg(test)]
mod tests;

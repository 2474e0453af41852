//! A session written out step by step: the events, and what they add up to.

use salon_core::event::{EndReason, LeaveReason, PeerJoined, SessionStarted};
use salon_core::preset::Recorder;
use salon_core::{Event, EventBody, Notice, Record, Timestamp};
use salon_store::{Append, PeerRow, RunId, SessionAppend};

use crate::bed::{NOON, id};

pub struct Script {
    pub events: Vec<Event>,
    pub record: Record,
    /// What the events since the last append are to those outside.
    notices: Vec<Notice>,
    pub epoch: i64,
    /// Events that an append has taken already.
    taken: usize,
}

impl Script {
    /// A session of `meeting` in the app `a` that starts at noon.
    pub fn start(session: &str, meeting: &str) -> Script {
        Self::start_at(session, meeting, "Planning", NOON)
    }

    pub fn start_at(session: &str, meeting: &str, title: &str, at: Timestamp) -> Script {
        Self::start_in("a", session, meeting, title, at)
    }

    pub fn start_in(app: &str, session: &str, meeting: &str, title: &str, at: Timestamp) -> Script {
        let started = SessionStarted {
            session: id(session),
            meeting: id(meeting),
            app: id(app),
            title: title.into(),
            keep_alive_ms: 60_000,
            started_at: at,
            parent: None,
        };
        let first = Event { seq: 1, at, body: EventBody::SessionStarted(started) };
        let record = Record::begin(&first).expect("it begins with the start");
        let notices = Notice::of(&record, &first).collect();
        Script { events: vec![first], record, notices, epoch: 1, taken: 0 }
    }

    pub fn then(&mut self, after_ms: i64, body: EventBody) -> &mut Self {
        let at = self.record.created_at.plus_ms(after_ms);
        let event = Event { seq: self.record.seq + 1, at, body };
        self.record.apply(&event);
        self.notices.extend(Notice::of(&self.record, &event));
        self.events.push(event);
        self
    }

    pub fn join(&mut self, after_ms: i64, peer: &str) -> &mut Self {
        let joined = PeerJoined {
            peer: id(peer),
            participant: id(peer),
            custom_participant_id: String::new(),
            name: format!("{peer}\0"),
            picture: None,
            preset: id("host"),
            preset_name: "host".into(),
            hidden: false,
            recorder: Recorder::None,
            on_stage: true,
            origin: None,
        };
        self.then(after_ms, EventBody::PeerJoined(joined))
    }

    pub fn rename(&mut self, after_ms: i64, peer: &str, name: &str) -> &mut Self {
        self.then(after_ms, EventBody::PeerRenamed { peer: id(peer), name: name.into(), by_other: false })
    }

    pub fn leave(&mut self, after_ms: i64, peer: &str) -> &mut Self {
        let left_at = self.record.created_at.plus_ms(after_ms);
        self.then(after_ms, EventBody::PeerLeft { peer: id(peer), left_at, reason: LeaveReason::Left })
    }

    pub fn end(&mut self, after_ms: i64) -> &mut Self {
        let ended_at = self.record.created_at.plus_ms(after_ms);
        self.then(after_ms, EventBody::SessionEnded { ended_at, reason: EndReason::Closed })
    }

    /// The events since the last call, ready to append.
    pub fn part(&mut self) -> SessionAppend {
        let events = self.events[self.taken..].to_vec();
        self.taken = self.events.len();
        let peers = PeerRow::changed(&self.record, events.iter().map(|event| &event.body));
        let notices = std::mem::take(&mut self.notices);
        SessionAppend { epoch: self.epoch, events, notices, peers, summary: self.record.summary() }
    }

    pub fn append(&mut self, run: &RunId) -> Append {
        Append { run: run.clone(), sessions: vec![self.part()], acts: Vec::new() }
    }
}

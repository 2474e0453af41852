//! Batches as lines of what is appended, and the answer to each.

use salon_core::event::{EndReason, SessionStarted};
use salon_core::{AppId, EventBody, ParticipantId, Record, Timestamp};

use super::*;

/// Part of an append: events `from` to `to` of a session; `ends` makes the last of them its end.
struct Part {
    session: &'static str,
    meeting: &'static str,
    from: u64,
    to: u64,
    ends: bool,
}

fn go(session: &'static str, meeting: &'static str, from: u64, to: u64) -> Part {
    Part { session, meeting, from, to, ends: false }
}

fn end(session: &'static str, meeting: &'static str, from: u64) -> Part {
    Part { session, meeting, from, to: from, ends: true }
}

fn append(parts: Vec<Part>) -> Append {
    let session = |part: Part| {
        let started = SessionStarted {
            session: SessionId::parse(part.session).expect("a plain id"),
            meeting: MeetingId::parse(part.meeting).expect("a plain id"),
            app: AppId::parse("a").expect("a plain id"),
            title: String::new(),
            keep_alive_ms: 0,
            started_at: Timestamp(0),
            parent: None,
        };
        let first = Event { seq: 1, at: Timestamp(0), body: EventBody::SessionStarted(started) };
        let mut record = Record::begin(&first).expect("it begins with the start");
        let mut events = vec![first];
        for seq in 2..=part.to {
            let body = if part.ends && seq == part.to {
                EventBody::SessionEnded { ended_at: Timestamp(9), reason: EndReason::Closed }
            } else {
                EventBody::ParticipantAdmitted { participant: ParticipantId::parse("u").expect("a plain id") }
            };
            let event = Event { seq, at: Timestamp(9), body };
            record.apply(&event);
            events.push(event);
        }
        events.retain(|event| event.seq >= part.from);
        SessionAppend { epoch: 1, events, notices: Vec::new(), peers: Vec::new(), summary: record.summary() }
    };
    Append { run: RunId::new("r"), sessions: parts.into_iter().map(session).collect(), acts: Vec::new() }
}

/// The session `old` of the meeting `m` is stored up to event 3.
fn stored() -> Stored {
    let (old, meeting) = (SessionId::parse("old").expect("a plain id"), MeetingId::parse("m").expect("a plain id"));
    let session = StoredSession { run: RunId::new("r"), epoch: 1, last_seq: 3, ended: false };
    Stored {
        sessions: HashMap::from([(old.clone(), session)]),
        live: HashMap::from([(meeting, old)]),
        nodes: HashMap::from([(RunId::new("r"), "n".to_owned())]),
        repeats: HashSet::new(),
        hooks: HashMap::new(),
    }
}

fn check(appends: Vec<Vec<Part>>, lost: &[usize], answers: &[&str], written: usize) {
    let appends: Vec<_> = appends.into_iter().map(append).collect();
    let plan = plan(stored(), &appends, &lost.iter().copied().collect());
    let told = plan.outcomes.iter().map(|outcome| match outcome {
        Ok(()) => "ok".to_owned(),
        Err(Error::Conflict(rule)) => format!("{rule:?}"),
        Err(err) => format!("{err:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), answers);
    assert_eq!(plan.events.len(), written);
}

#[test]
fn later_appends_build_on_earlier_ones() {
    let batch = vec![
        vec![go("old", "m", 4, 5)],
        vec![go("old", "m", 6, 6)],
        vec![end("old", "m", 7), go("new", "m", 1, 2)],
        vec![go("new", "m", 3, 3)],
        vec![go("old", "m", 8, 8)],
    ];
    check(batch, &[], &["ok", "ok", "ok", "ok", "SessionEnded"], 2 + 1 + 3 + 1);
}

#[test]
fn a_refused_append_leaves_no_trace() {
    let batch = vec![
        // The end alone would do, but what comes with it does not.
        vec![end("old", "m", 4), go("new", "m", 1, 1), go("gap", "g", 2, 2)],
        vec![go("newer", "m", 1, 1)],
        vec![go("new", "m", 2, 2)],
        vec![go("old", "m", 4, 4)],
    ];
    check(batch, &[], &["NotContiguous", "LiveSessionExists", "NotContiguous", "ok"], 1);
}

#[test]
fn what_was_lost_to_another_node_takes_what_follows_along() {
    let batch = vec![vec![go("new", "x", 1, 1)], vec![go("new", "x", 2, 2)], vec![go("other", "y", 1, 1)]];
    check(batch, &[0], &["LiveSessionExists", "NotContiguous", "ok"], 1);
}

#[test]
fn an_append_that_is_queued_twice_is_written_once() {
    let batch = || vec![vec![go("old", "m", 4, 4)], vec![go("old", "m", 5, 5)], vec![go("old", "m", 4, 4)]];
    check(batch(), &[], &["ok", "ok", "ok"], 2);
    check(vec![vec![go("old", "m", 4, 4)], vec![go("old", "m", 3, 4)]], &[], &["ok", "NotContiguous"], 1);
}

#[test]
fn an_append_without_events_changes_nothing() {
    check(vec![Vec::new(), vec![go("old", "m", 9, 3)]], &[], &["ok", "ok"], 0);
}

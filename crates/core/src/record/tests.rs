//! Tests of the fold: sums, order, events about nobody, and what an event costs.

use super::{Record, Summary};
use crate::event::{Actor, Event, EventBody, LeaveReason, PeerJoined, SessionStarted};
use crate::ids::{AppId, MeetingId, ParticipantId, PeerId, PresetId, SessionId, TrackId};
use crate::preset::Recorder;
use crate::time::Timestamp;

fn begin() -> Record {
    let started = SessionStarted {
        session: SessionId::parse("s1").unwrap(),
        meeting: MeetingId::parse("meeting").unwrap(),
        app: AppId::parse("app").unwrap(),
        title: String::new(),
        keep_alive_ms: 60_000,
        started_at: Timestamp(0),
        parent: None,
    };
    Record::begin(&Event { seq: 1, at: Timestamp(0), body: EventBody::SessionStarted(started) }).unwrap()
}

fn id(n: usize) -> PeerId {
    PeerId::parse(&format!("peer-{n:06}")).unwrap()
}

fn joined(n: usize, hidden: bool) -> EventBody {
    EventBody::PeerJoined(PeerJoined {
        peer: id(n),
        participant: ParticipantId::parse("somebody").unwrap(),
        custom_participant_id: String::new(),
        name: String::new(),
        picture: None,
        preset: PresetId::parse("preset").unwrap(),
        preset_name: String::new(),
        hidden,
        recorder: Recorder::None,
        on_stage: true,
        origin: None,
    })
}

fn left(n: usize, at: i64) -> EventBody {
    EventBody::PeerLeft { peer: id(n), left_at: Timestamp(at), reason: LeaveReason::Left }
}

fn apply(record: &mut Record, at: i64, body: EventBody) -> Summary {
    record.apply(&Event { seq: record.seq + 1, at: Timestamp(at), body });
    record.summary()
}

#[test]
fn a_record_begins_with_its_start() {
    assert_eq!(Record::fold([]), None);
    assert_eq!(Record::fold([&Event { seq: 1, at: Timestamp(0), body: joined(1, false) }]), None);
}

#[test]
fn events_about_nobody_change_nothing_but_the_number() {
    let mut record = begin();
    let peer = id(7);
    let track = TrackId::parse("mic").unwrap();
    for body in [
        EventBody::PeerDisconnected { peer: peer.clone(), seen: Timestamp(1) },
        EventBody::PeerReconnected { peer: peer.clone() },
        left(7, 1),
        EventBody::PeerRenamed { peer: peer.clone(), name: "x".to_string(), by_other: false },
        EventBody::TrackPaused { peer: peer.clone(), track: track.clone(), paused: true, by: Actor::Api },
        EventBody::TrackUnpublished { peer, track },
    ] {
        apply(&mut record, 0, body);
    }
    assert_eq!(record, Record { seq: 7, ..begin() });
}

#[test]
fn a_reader_whose_clock_is_behind_gets_the_answer_of_the_last_event() {
    let mut record = begin();
    apply(&mut record, 0, joined(1, false));
    let alone = record.summary();
    let summary = apply(&mut record, 100, joined(2, false));
    assert_eq!(alone.consumed_ms(Timestamp(90)), 90);
    assert_eq!(summary.consumed_ms(Timestamp(90)), 100);
    assert_eq!(summary.consumed_ms(Timestamp(101)), 102);
    assert_eq!(summary.minutes_consumed(Timestamp(30_050)), 1.0);
}

#[test]
fn a_second_coming_in_without_a_leave_settles_the_first() {
    let mut record = begin();
    apply(&mut record, 0, joined(1, false));
    let summary = apply(&mut record, 50, joined(1, true));
    assert_eq!((summary.live, summary.settled_ms, summary.participants), (0, 50, 1));
    assert_eq!(record.present_count(), 1);
    assert_eq!(record.peers[&id(1)].stays, [(Timestamp(0), Some(Timestamp(50))), (Timestamp(50), None)]);
}

#[test]
fn those_present_are_in_the_order_of_first_joining() {
    let mut record = begin();
    for (at, body) in
        [joined(3, false), joined(1, false), joined(2, false), left(3, 3), joined(3, false), left(1, 5)].into_iter().enumerate()
    {
        apply(&mut record, at as i64, body);
    }
    let present: Vec<PeerId> = record.present().map(|peer| peer.who.peer.clone()).collect();
    assert_eq!(present, [id(3), id(2)]);
}

/// 50,000 people come and go while 2,000 stay, with an answer after each event. If an event's cost grew with the number
/// of those who ever came, this would take many minutes.
#[test]
fn an_event_costs_the_same_late_in_a_large_session() {
    const STAYING: usize = 2_000;
    const PASSING: usize = 50_000;
    let mut record = begin();
    for n in 0..STAYING {
        // Their ids sort last, so that no walk over all peers would find them early.
        apply(&mut record, 0, joined(900_000 + n, false));
    }
    for n in 0..PASSING {
        let at = n as i64;
        assert_eq!(apply(&mut record, at, joined(n, false)).live, STAYING as u32 + 1);
        apply(&mut record, at + 1, EventBody::PeerDisconnected { peer: id(n), seen: Timestamp(at + 1) });
        apply(&mut record, at + 1, EventBody::PeerReconnected { peer: id(n) });
        apply(&mut record, at + 1, left(n, at + 1));
        assert_eq!(record.over_at(), None);
    }
    let end = PASSING as i64;
    let summary = record.summary();
    assert_eq!(summary.participants as usize, STAYING + PASSING);
    assert_eq!(summary.consumed_ms(Timestamp(end)), STAYING as i64 * end + end);
    assert_eq!(record.present().count(), STAYING);
}

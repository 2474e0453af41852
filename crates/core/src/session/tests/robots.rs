//! Robots are nobody: what recorders and livestreamers change about a session, which is nothing.

use insta::assert_snapshot;

use super::minutes::{Minutes, guest, host, id, preset};
use crate::event::{Actor, Event, EventBody, SessionStarted};
use crate::limits::{Limits, MAX_ROBOTS};
use crate::preset::{Entry, Preset, Recorder};
use crate::record::Record;
use crate::session::{Entered, Refusal, Session};
use crate::time::Timestamp;

fn recorder() -> Preset {
    preset(|preset| (preset.recorder, preset.hidden) = (Recorder::Recorder, true))
}

fn livestreamer() -> Preset {
    preset(|preset| preset.recorder = Recorder::Livestreamer)
}

#[test]
fn a_robot_begins_no_session_and_keeps_none_going() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "robo", &recorder());
    meeting.joins(10, "ana", &guest());
    meeting.joins(11, "robo", &recorder());
    meeting.leaves(20, "ana");
    meeting.joins(70, "live", &livestreamer());
    meeting.time_passes(79);
    meeting.time_passes(81);
    assert_snapshot!(meeting.text(), @"
    0:00 robo joins: NoSession
         = no session
    0:10 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:11 robo joins
         to ana: robo is here
         = s1: 1 live, 1 at most, 0.02 min
    0:20 ana leaves
         media: close connections of ana
         to robo: ana is gone
         = s1: 0 live, 1 at most, 0.17 min
    1:10 live joins
         to robo: live is here
         = s1: 0 live, 1 at most, 0.17 min
    1:19 time passes
         = s1: 0 live, 1 at most, 0.17 min
    1:21 time passes
         media: close connections of robo
         media: close connections of live
         to robo: Ended
         hang up on robo
         to live: Ended
         hang up on live
         = no session
    ");
}

#[test]
fn a_session_with_a_robot_in_it_ends_as_it_would_without() {
    for robot in [recorder(), livestreamer()] {
        let ended_at = |with_robot: bool| {
            let mut meeting = Minutes::new();
            meeting.joins(0, "ana", &guest());
            if with_robot {
                meeting.joins(1, "robo", &robot);
            }
            meeting.drops(30, "ana");
            if with_robot {
                meeting.drops(31, "robo");
                meeting.joins(80, "robo", &robot);
            }
            meeting.time_passes(200);
            (meeting.session.record().unwrap().ended, meeting.session.record().unwrap().summary().settled_ms)
        };
        assert_eq!(ended_at(true), ended_at(false));
    }
}

#[test]
fn a_hidden_person_begins_a_session_and_keeps_it_going_uncounted() {
    let hidden = preset(|preset| preset.hidden = true);
    let mut meeting = Minutes::new();
    meeting.joins(0, "spy", &hidden);
    meeting.time_passes(300);
    let summary = meeting.session.summary().expect("somebody is in");
    assert_eq!((summary.live, summary.participants, summary.settled_ms), (0, 0, 0));
    meeting.joins(301, "ana", &guest());
    meeting.joins(301, "robo", &recorder());
    let kicked = meeting.act(302, "the API ends it", |session, now| session.kick_all(now, &Actor::Api));
    assert_eq!(kicked, Ok(2), "two people were put out, seen or not, and a robot");
}

#[test]
fn muting_all_reaches_people_and_robots_and_counts_people() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "robo", &livestreamer());
    meeting.publishes(1, "robo", "mic").unwrap();
    let muted = meeting.act(2, "the API mutes all", |session, now| session.mute_all(now, true));
    assert_eq!(muted, Ok(1));
    assert!(meeting.session.record().unwrap().peers[&id("robo")].tracks.values().all(|track| track.paused));
}

#[test]
fn robots_and_people_take_no_places_of_each_other() {
    let mut meeting = Minutes::with_limits(Limits { max_peers: 1, ..Limits::default() });
    meeting.joins(0, "ana", &guest());
    for n in 0..MAX_ROBOTS {
        assert!(meeting.tries_to_join(1, &format!("robo{n}"), &recorder()).is_ok());
    }
    assert_eq!(meeting.tries_to_join(2, "onemore", &recorder()), Err(Refusal::Full));
    assert_eq!(meeting.tries_to_join(2, "bo", &guest()), Err(Refusal::Full));
    meeting.leaves(3, "ana");
    assert!(meeting.tries_to_join(4, "bo", &guest()).is_ok());
}

#[test]
fn a_robot_that_may_admit_people_is_no_host_to_wait_for() {
    let mut robot = host();
    robot.recorder = Recorder::Recorder;
    let knocks = super::minutes::waits(Entry::OnPrivilegedEntry);
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &knocks);
    meeting.joins(1, "robo", &robot);
    assert!(matches!(meeting.tries_to_join(2, "bo", &knocks), Ok(Entered::Waiting(_))));
}

#[test]
fn breakout_rooms_with_robots_only_are_empty() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "robo", &recorder());
    assert!(meeting.session.is_peopled());
    meeting.leaves(1, "ana");
    assert!(!meeting.session.is_peopled());
    assert_eq!(meeting.session.everyone(), []);
}

/// Earlier versions let robots begin sessions and keep them going. Such a record, found after an update, ends at once,
/// and not before what is in it.
#[test]
fn a_session_that_only_a_robot_kept_alive_ends_with_the_update() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "robo", &recorder());
    let joined = |peer: &str| meeting.session.record().unwrap().peers[&id(peer)].who.clone();
    let facts = super::minutes::facts();
    let started = SessionStarted {
        session: crate::SessionId::parse("old").unwrap(),
        meeting: facts.meeting.clone(),
        app: facts.app.clone(),
        title: String::new(),
        keep_alive_ms: 60_000,
        started_at: Timestamp(0),
        parent: None,
    };
    let bodies = [
        (0, EventBody::SessionStarted(started)),
        (0, EventBody::PeerJoined(joined("robo"))),
        (500_000, EventBody::PeerRenamed { peer: id("robo"), name: "recorder".to_string(), by_other: false }),
    ];
    let events: Vec<Event> =
        bodies.into_iter().zip(1..).map(|((at, body), seq)| Event { seq, at: Timestamp(at), body }).collect();
    let record = Record::fold(&events).unwrap();
    let session = Session::recover(facts, Limits::default(), record, Timestamp(900_000), Timestamp(890_000), &[]);
    assert_eq!(session.summary(), None);
    assert_eq!(session.record().unwrap().ended.unwrap().at, Timestamp(500_000));
}

//! Recordings: who may have one, what everybody is told, and that each is over some day.

use insta::assert_snapshot;

use super::minutes::{Minutes, at, facts, guest, host, id, participant, preset};
use crate::event::{Actor, EventBody, RecordedBy, RecordingEnd, RecordingInvoked, RecordingKind};
use crate::ids::RecordingId;
use crate::limits::*;
use crate::permission::{Changes, Flag};
use crate::preset::Recorder;
use crate::record::RecordingState;
use crate::session::{NewPermissions, NewRecording, Refusal, Session};

fn recording(name: &str) -> RecordingId {
    RecordingId::parse(name).unwrap()
}

fn new(name: &str) -> NewRecording {
    NewRecording { id: recording(name), kind: RecordingKind::Composite, max_ms: 600_000, beside_others: false }
}

fn by(name: &str) -> RecordedBy {
    RecordedBy::Participant(participant(name))
}

fn starts(meeting: &mut Minutes, second: i64, who: &RecordedBy, new: NewRecording) -> Result<(), Refusal> {
    let what = format!("{} is to be recorded", new.id);
    meeting.act(second, &what, |session, now| session.start_recording(now, who, new))
}

fn stops(meeting: &mut Minutes, second: i64, who: &RecordedBy, name: &str) -> Result<(), Refusal> {
    meeting.act(second, &format!("{name} is to stop"), |session, now| session.stop_recording(now, who, &recording(name)))
}

fn began(meeting: &mut Minutes, second: i64, name: &str) {
    meeting.does(second, &format!("{name} runs"), |session, now| session.recording_began(now, &recording(name)));
}

fn paused(meeting: &mut Minutes, second: i64, name: &str, paused: bool) {
    let what = format!("{name} {}", if paused { "pauses" } else { "goes on" });
    meeting.does(second, &what, |session, now| session.recording_paused(now, &recording(name), paused));
}

fn ended(meeting: &mut Minutes, second: i64, name: &str, error: Option<&str>) {
    meeting.does(second, &format!("{name} is over"), |session, now| session.recording_ended(now, &recording(name), error));
}

/// How recordings ended in the present session, or the last.
fn ends(meeting: &Minutes) -> Vec<(String, RecordingEnd)> {
    let ends = meeting.events().iter().filter_map(|event| match &event.body {
        EventBody::RecordingStopped { recording, why, .. } => Some((recording.to_string(), why.clone())),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_host_records_pauses_and_stops() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    starts(&mut meeting, 1, &by("hana"), new("r")).unwrap();
    began(&mut meeting, 2, "r");
    began(&mut meeting, 2, "r");
    paused(&mut meeting, 3, "r", true);
    paused(&mut meeting, 3, "r", true);
    paused(&mut meeting, 4, "r", false);
    stops(&mut meeting, 5, &by("hana"), "r").unwrap();
    stops(&mut meeting, 5, &RecordedBy::Api, "r").unwrap();
    ended(&mut meeting, 6, "r", None);
    ended(&mut meeting, 6, "r", None);
    assert_eq!(stops(&mut meeting, 7, &by("hana"), "r"), Err(Refusal::UnknownRecording));
    assert_eq!(ends(&meeting), [("r".to_owned(), RecordingEnd::Asked(by("hana")))]);
    assert_snapshot!(meeting.text(), @"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:01 r is to be recorded
         = s1: 2 live, 2 at most, 0.03 min
    0:02 r runs
         to bo, hana: Composite recording r: Running
         = s1: 2 live, 2 at most, 0.07 min
    0:02 r runs
         = s1: 2 live, 2 at most, 0.07 min
    0:03 r pauses
         to bo, hana: Composite recording r: Paused
         = s1: 2 live, 2 at most, 0.10 min
    0:03 r pauses
         = s1: 2 live, 2 at most, 0.10 min
    0:04 r goes on
         to bo, hana: Composite recording r: Running
         = s1: 2 live, 2 at most, 0.13 min
    0:05 r is to stop
         stop recording r
         = s1: 2 live, 2 at most, 0.17 min
    0:05 r is to stop
         = s1: 2 live, 2 at most, 0.17 min
    0:06 r is over
         to bo, hana: Composite recording r: Stopped { error: None }
         = s1: 2 live, 2 at most, 0.20 min
    0:06 r is over
         = s1: 2 live, 2 at most, 0.20 min
    0:07 r is to stop: UnknownRecording
         = s1: 2 live, 2 at most, 0.23 min
    ");
}

#[test]
fn only_those_with_leave_who_are_in_may_record() {
    let mut meeting = Minutes::new();
    assert_eq!(starts(&mut meeting, 0, &RecordedBy::Api, new("r")), Err(Refusal::NoSession));
    assert_eq!(starts(&mut meeting, 0, &by("hana"), new("r")), Err(Refusal::NoSession));
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    assert_eq!(starts(&mut meeting, 1, &by("cy"), new("r")), Err(Refusal::NotJoined));
    assert_eq!(starts(&mut meeting, 1, &by("bo"), new("r")), Err(Refusal::NotAllowed));
    starts(&mut meeting, 1, &by("hana"), new("r")).unwrap();
    began(&mut meeting, 1, "r");
    assert_eq!(stops(&mut meeting, 2, &by("bo"), "r"), Err(Refusal::NotAllowed));
    let pause = |meeting: &mut Minutes, who: &str| {
        meeting.act(2, "pause?", |session, now| session.may_pause_recording(now, &by(who), &recording("r")))
    };
    assert_eq!((pause(&mut meeting, "bo"), pause(&mut meeting, "hana")), (Err(Refusal::NotAllowed), Ok(())));
    // What a host gives or takes during the call counts.
    let permit = |meeting: &mut Minutes, who: &str, record: bool| {
        let mut changes = Changes::default();
        changes.flags.insert(Flag::Record, record);
        let new = NewPermissions { participant: participant(who), changes, hidden: None, robot: None };
        meeting.act(3, "permit", |session, now| session.change_permissions(now, &id("hana"), &[new])).unwrap();
    };
    permit(&mut meeting, "bo", true);
    permit(&mut meeting, "hana", false);
    assert_eq!(stops(&mut meeting, 4, &by("hana"), "r"), Err(Refusal::NotAllowed));
    stops(&mut meeting, 4, &by("bo"), "r").unwrap();
    meeting.leaves(5, "bo");
    assert_eq!(stops(&mut meeting, 6, &by("bo"), "r"), Err(Refusal::NotJoined), "a token alone is not enough");
}

#[test]
fn one_of_a_kind_at_a_time_unless_others_were_asked_for() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    let api = RecordedBy::Api;
    starts(&mut meeting, 0, &api, new("r1")).unwrap();
    let again = |meeting: &mut Minutes| starts(meeting, 1, &api, new("r2"));
    assert_eq!(again(&mut meeting), Err(Refusal::AlreadyRecording), "while it starts");
    began(&mut meeting, 1, "r1");
    assert_eq!(again(&mut meeting), Err(Refusal::AlreadyRecording));
    paused(&mut meeting, 1, "r1", true);
    assert_eq!(again(&mut meeting), Err(Refusal::AlreadyRecording), "while it is paused");
    stops(&mut meeting, 1, &api, "r1").unwrap();
    assert_eq!(again(&mut meeting), Err(Refusal::AlreadyRecording), "while it stops");
    let track = NewRecording { kind: RecordingKind::Track, ..new("t1") };
    starts(&mut meeting, 1, &api, track).unwrap();
    ended(&mut meeting, 2, "r1", None);
    starts(&mut meeting, 3, &api, new("r3")).unwrap();
    for n in 2..MAX_RECORDINGS {
        starts(&mut meeting, 3, &api, NewRecording { beside_others: true, ..new(&format!("b{n}")) }).unwrap();
    }
    let more = NewRecording { beside_others: true, ..new("more") };
    assert_eq!(starts(&mut meeting, 3, &api, more), Err(Refusal::Full));
}

#[test]
fn what_never_begins_or_never_stops_is_over_all_the_same() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    starts(&mut meeting, 0, &by("hana"), new("late")).unwrap();
    meeting.time_passes(29);
    assert_eq!(meeting.session.recordings().len(), 1);
    meeting.time_passes(30);
    assert_eq!(meeting.session.recordings(), []);
    began(&mut meeting, 31, "late");
    assert_eq!(meeting.session.recordings(), [], "too late is too late");
    starts(&mut meeting, 40, &by("hana"), new("long")).unwrap();
    began(&mut meeting, 41, "long");
    paused(&mut meeting, 42, "long", true);
    meeting.time_passes(640);
    assert!(matches!(meeting.session.recordings()[0].state, RecordingState::Paused { .. }));
    meeting.time_passes(641);
    assert!(matches!(meeting.session.recordings()[0].state, RecordingState::Stopping { .. }));
    meeting.time_passes(671);
    assert_eq!(meeting.session.recordings(), []);
    let failed = ("late".to_owned(), RecordingEnd::Failed);
    assert_eq!(ends(&meeting), [failed, ("long".to_owned(), RecordingEnd::TimeIsUp)]);
    assert!(meeting.text().contains("Stopped { error: Some(\"it did not begin in time"), "{}", meeting.text());
    assert!(meeting.text().contains("stop recording late") && meeting.text().contains("stop recording long"));
}

#[test]
fn it_is_over_with_the_session() {
    let robot = preset(|preset| (preset.recorder, preset.hidden) = (Recorder::Recorder, true));
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    starts(&mut meeting, 0, &RecordedBy::Api, new("r")).unwrap();
    meeting.joins(1, "robo", &robot);
    began(&mut meeting, 1, "r");
    meeting.leaves(10, "hana");
    meeting.time_passes(69);
    assert!(meeting.session.summary().is_some());
    meeting.time_passes(70);
    assert!(meeting.session.summary().is_none(), "though the robot is there");
    assert_eq!(ends(&meeting), [("r".to_owned(), RecordingEnd::SessionOver)]);
    assert!(meeting.text().contains("stop recording r"));
    meeting.joins(100, "hana", &host());
    assert_eq!(meeting.session.recordings(), []);
    starts(&mut meeting, 100, &RecordedBy::Api, new("r2")).unwrap();
    meeting.act(101, "all out", |session, now| session.kick_all(now, &Actor::Api)).unwrap();
    assert_eq!(ends(&meeting), [("r2".to_owned(), RecordingEnd::SessionOver)]);
}

#[test]
fn people_are_told_why_it_failed_and_no_novel() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    starts(&mut meeting, 0, &by("hana"), new("r")).unwrap();
    ended(&mut meeting, 1, "r", Some(&"ö".repeat(10_000)));
    let error = meeting.events().iter().find_map(|event| match &event.body {
        EventBody::RecordingStopped { error, why: RecordingEnd::Failed, .. } => error.clone(),
        _ => None,
    });
    assert_eq!(error.map(|error| error.chars().count()), Some(MAX_RECORDING_ERROR_CHARS));
}

#[test]
fn a_participant_records_so_often_and_may_always_stop() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    for n in 0..RECORDING_ACTS_PER_MINUTE {
        starts(&mut meeting, 1, &by("hana"), new(&format!("r{n}"))).unwrap();
        ended(&mut meeting, 1, &format!("r{n}"), None);
    }
    assert_eq!(starts(&mut meeting, 2, &by("hana"), new("more")), Err(Refusal::TooOften));
    starts(&mut meeting, 2, &RecordedBy::Api, new("more")).unwrap();
    stops(&mut meeting, 2, &by("hana"), "more").unwrap();
}

#[test]
fn a_meeting_begins_its_recording_once_in_a_session() {
    let mut meeting = Minutes::new();
    assert!(!meeting.session.is_yet_to_be_recorded(RecordingKind::Composite));
    meeting.joins(0, "hana", &host());
    assert!(meeting.session.is_yet_to_be_recorded(RecordingKind::Composite));
    starts(&mut meeting, 0, &RecordedBy::Api, new("r")).unwrap();
    ended(&mut meeting, 0, "r", None);
    assert!(meeting.session.is_yet_to_be_recorded(RecordingKind::Composite));
    starts(&mut meeting, 1, &RecordedBy::Meeting, new("r2")).unwrap();
    ended(&mut meeting, 2, "r2", None);
    assert!(!meeting.session.is_yet_to_be_recorded(RecordingKind::Composite), "who stopped it does not want it back");
}

#[test]
fn it_goes_on_over_a_crash_and_its_time_runs_on() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    starts(&mut meeting, 0, &RecordedBy::Api, new("r")).unwrap();
    began(&mut meeting, 1, "r");
    paused(&mut meeting, 2, "r", true);
    let record = meeting.session.record().unwrap().clone();
    let limits = Limits { grace_ms: 15_000, ..Limits::default() };
    let recovered =
        |seconds: i64| Session::recover(facts(), limits.clone(), record.clone(), at(seconds), at(2), &[]).recordings();
    let asked =
        RecordingInvoked { recording: recording("r"), kind: RecordingKind::Composite, by: RecordedBy::Api, max_ms: 600_000 };
    let found = recovered(10);
    assert_eq!((found.len(), &found[0].asked), (1, &asked));
    assert_eq!(found[0].state, RecordingState::Paused { since: at(1) });
    assert_eq!(recovered(3_000), [], "the session ended meanwhile, and it with it");
}

fn streams(meeting: &mut Minutes, second: i64, who: &RecordedBy, name: &str) -> Result<(), Refusal> {
    let new = NewRecording { kind: RecordingKind::Livestream, ..new(name) };
    meeting.act(second, &format!("{name} is to be streamed"), |session, now| session.start_recording(now, who, new))
}

fn stops_streaming(meeting: &mut Minutes, second: i64, who: &RecordedBy) -> Result<Option<RecordingId>, Refusal> {
    meeting.act(second, "no more streaming", |session, now| session.stop_livestream(now, who))
}

fn is_live(meeting: &mut Minutes, second: i64, name: &str) {
    let of = recording(name);
    meeting.does(second, &format!("{name} is live"), |session, now| session.livestream_began(now, &of, "https://x/live"));
}

#[test]
fn everybody_is_told_of_a_livestream_and_nobody_waits_for_ever() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    assert_eq!(streams(&mut meeting, 1, &by("bo"), "l"), Err(Refusal::NotAllowed));
    streams(&mut meeting, 1, &by("hana"), "l").unwrap();
    assert_eq!(streams(&mut meeting, 1, &RecordedBy::Api, "m"), Err(Refusal::AlreadyStreaming));
    // A recording may run beside it, and has nothing to do with it.
    starts(&mut meeting, 1, &by("hana"), new("r")).unwrap();
    is_live(&mut meeting, 2, "l");
    is_live(&mut meeting, 2, "l");
    began(&mut meeting, 2, "l");
    paused(&mut meeting, 2, "l", true);
    assert_eq!(meeting.session.recordings().len(), 1, "those who come find the recording; the livestream they ask for");
    meeting.does(3, "two watch", |session, now| session.livestream_watched(now, &recording("l"), 2));
    assert_eq!(stops_streaming(&mut meeting, 4, &by("bo")), Err(Refusal::NotAllowed));
    assert_eq!(stops_streaming(&mut meeting, 4, &by("hana")), Ok(Some(recording("l"))));
    assert_eq!(stops_streaming(&mut meeting, 4, &RecordedBy::Api), Ok(Some(recording("l"))));
    ended(&mut meeting, 5, "l", None);
    // Whoever asks again is told what it waits for.
    assert_eq!(stops_streaming(&mut meeting, 6, &by("hana")), Ok(None));
    streams(&mut meeting, 7, &RecordedBy::Api, "n").unwrap();
    ended(&mut meeting, 8, "n", Some("it broke"));
    assert_snapshot!(meeting.text(), @r#"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:01 l is to be streamed: NotAllowed
         = s1: 2 live, 2 at most, 0.03 min
    0:01 l is to be streamed
         = s1: 2 live, 2 at most, 0.03 min
    0:01 m is to be streamed: AlreadyStreaming
         = s1: 2 live, 2 at most, 0.03 min
    0:01 r is to be recorded
         = s1: 2 live, 2 at most, 0.03 min
    0:02 l is live
         to bo, hana: livestream: Live { livestream: l, playback_url: "https://x/live" }
         = s1: 2 live, 2 at most, 0.07 min
    0:02 l is live
         = s1: 2 live, 2 at most, 0.07 min
    0:02 l runs
         = s1: 2 live, 2 at most, 0.07 min
    0:02 l pauses
         = s1: 2 live, 2 at most, 0.07 min
    0:03 two watch
         to bo, hana: livestream: Viewers(2)
         = s1: 2 live, 2 at most, 0.10 min
    0:04 no more streaming: NotAllowed
         = s1: 2 live, 2 at most, 0.13 min
    0:04 no more streaming
         stop recording l
         = s1: 2 live, 2 at most, 0.13 min
    0:04 no more streaming
         = s1: 2 live, 2 at most, 0.13 min
    0:05 l is over
         to bo, hana: livestream: Stopped { livestream: Some(l) }
         = s1: 2 live, 2 at most, 0.17 min
    0:06 no more streaming
         to hana: livestream: Stopped { livestream: None }
         = s1: 2 live, 2 at most, 0.20 min
    0:07 n is to be streamed
         = s1: 2 live, 2 at most, 0.23 min
    0:08 n is over
         to bo, hana: livestream: Failed { livestream: n, error: "it broke" }
         = s1: 2 live, 2 at most, 0.27 min
    "#);
}

#[test]
fn a_livestream_that_comes_from_elsewhere_is_waited_for_as_long_as_it_takes() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    streams(&mut meeting, 1, &by("hana"), "l").unwrap();
    let waits = |meeting: &mut Minutes, second| {
        meeting.does(second, "an encoder is waited for", |session, now| session.livestream_waits(now, &recording("l")));
    };
    let comes = |meeting: &mut Minutes, second| {
        let act = |session: &mut Session, now| session.livestream_came(now, &recording("l"), "https://x/live");
        meeting.does(second, "it comes", act);
    };
    comes(&mut meeting, 1);
    waits(&mut meeting, 2);
    meeting.time_passes(120);
    let may = |meeting: &mut Minutes, name: &str| meeting.session.may_stream(&participant(name));
    assert_eq!([may(&mut meeting, "hana"), may(&mut meeting, "bo"), may(&mut meeting, "nobody")], [true, false, false]);
    comes(&mut meeting, 121);
    waits(&mut meeting, 130);
    stops_streaming(&mut meeting, 131, &by("hana")).unwrap();
    comes(&mut meeting, 131);
    ended(&mut meeting, 132, "l", None);
    let told: Vec<_> = meeting.text().lines().filter(|line| line.contains("livestream: ")).map(str::to_owned).collect();
    let expected = [
        "Awaited { livestream: l }",
        "Live { livestream: l, playback_url: \"https://x/live\" }",
        "Awaited { livestream: l }",
        "Stopped { livestream: Some(l) }",
    ];
    assert!(told.iter().zip(expected).all(|(told, expected)| told.ends_with(expected)) && told.len() == 4, "{told:#?}");
}

#[test]
fn a_livestream_that_does_not_begin_is_told_and_who_missed_its_end_hears_of_it() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    streams(&mut meeting, 1, &by("hana"), "l").unwrap();
    meeting.drops(59, "bo");
    meeting.time_passes(61);
    meeting.joins(63, "bo", &guest());
    assert_snapshot!(meeting.text(), @r#"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:01 l is to be streamed
         = s1: 2 live, 2 at most, 0.03 min
    0:59 bo's socket breaks
         = s1: 1 live, 2 at most, 1.97 min
    1:01 time passes
         stop recording l
         to hana: livestream: Failed { livestream: l, error: "it did not begin in time; the server may be recording as much as it can" }
         = s1: 1 live, 2 at most, 2.00 min
    1:03 bo joins
         to bo: livestream: Stopped { livestream: None }
         = s1: 2 live, 2 at most, 2.10 min
    "#);
}

#[test]
fn a_pause_keeps_since_when_it_runs_and_is_nothing_before_and_after() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    let state = |meeting: &Minutes| meeting.session.record().unwrap().recordings.get(&recording("r")).unwrap().state.clone();
    starts(&mut meeting, 1, &by("hana"), new("r")).unwrap();
    paused(&mut meeting, 2, "r", true);
    assert_eq!(state(&meeting), RecordingState::Starting { since: at(1) });
    began(&mut meeting, 3, "r");
    paused(&mut meeting, 4, "r", true);
    assert_eq!(state(&meeting), RecordingState::Paused { since: at(3) });
    paused(&mut meeting, 5, "r", false);
    assert_eq!(state(&meeting), RecordingState::Running { since: at(3) });
    stops(&mut meeting, 6, &by("hana"), "r").unwrap();
    paused(&mut meeting, 7, "r", true);
    assert!(matches!(state(&meeting), RecordingState::Stopping { .. }));
}

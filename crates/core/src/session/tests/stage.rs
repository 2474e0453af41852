//! The stage: asking, being called up, stepping on and off.

use super::minutes::{Minutes, guest, id, participant, preset};
use crate::preset::{CanProduce, Preset, ViewType};
use crate::session::{Refusal, Stage};

fn presenter() -> Preset {
    preset(|preset| {
        preset.view_type = ViewType::Webinar;
        preset.accept_stage_requests = true;
    })
}

fn viewer() -> Preset {
    preset(|preset| {
        preset.view_type = ViewType::Webinar;
        preset.stage_access = Some(CanProduce::CanRequest);
        preset.audio = CanProduce::CanRequest;
    })
}

fn decides(meeting: &mut Minutes, by: &str, whom: &str, granted: bool) -> Result<(), Refusal> {
    let whom = [participant(whom)];
    meeting.act(2, &format!("{by} decides"), |session, now| session.decide_stage(now, &id(by), &whom, granted))
}

fn requests(meeting: &mut Minutes, peer: &str) -> Result<(), Refusal> {
    meeting.act(1, &format!("{peer} asks"), |session, now| session.request_stage(now, &id(peer)))
}

fn steps_on(meeting: &mut Minutes, peer: &str) -> Result<(), Refusal> {
    meeting.act(3, &format!("{peer} steps on"), |session, now| session.join_stage(now, &id(peer)))
}

fn takes_off(meeting: &mut Minutes, by: &str, whom: &str) -> Result<(), Refusal> {
    let whom = [participant(whom)];
    meeting.act(4, &format!("{by} takes {whom:?} off"), |session, now| session.leave_stage(now, &id(by), &whom))
}

#[test]
fn one_of_the_audience_asks_speaks_and_is_taken_off() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "paula", &presenter());
    meeting.enters(0, "vic", &viewer());
    assert_eq!(steps_on(&mut meeting, "vic"), Err(Refusal::NotAllowed), "not before it was called up");
    requests(&mut meeting, "vic").unwrap();
    assert!(meeting.text().contains("to paula, vic: stage of vic: Requested"), "{}", meeting.text());
    assert!(meeting.text().contains("to paula: [vic] ask for the stage"), "{}", meeting.text());
    assert_eq!(meeting.session.stage_requests(&id("paula")).unwrap().len(), 1);
    assert_eq!(meeting.session.stage_requests(&id("vic")), Err(Refusal::NotAllowed));
    assert_eq!(decides(&mut meeting, "vic", "vic", true), Err(Refusal::NotAllowed));
    decides(&mut meeting, "paula", "vic", true).unwrap();
    assert!(meeting.text().contains("to vic: Granted\n     to paula, vic: stage of vic: Approved"), "{}", meeting.text());
    assert_eq!(meeting.publishes(3, "vic", "mic"), Err(Refusal::OffStage));
    steps_on(&mut meeting, "vic").unwrap();
    assert!(meeting.text().contains("to paula: stage of vic: On"), "{}", meeting.text());
    meeting.publishes(3, "vic", "mic").unwrap();
    assert_eq!(takes_off(&mut meeting, "vic", "paula"), Err(Refusal::NotAllowed));
    takes_off(&mut meeting, "paula", "vic").unwrap();
    assert!(meeting.text().contains("media: close vic-mic"), "{}", meeting.text());
    assert!(meeting.text().contains("to vic: stage of vic: Off"), "{}", meeting.text());
    assert_eq!(meeting.publishes(5, "vic", "mic"), Err(Refusal::OffStage));
    assert_eq!(steps_on(&mut meeting, "vic"), Err(Refusal::NotAllowed), "it has to ask anew");
}

#[test]
fn requests_are_denied_taken_back_and_forgotten() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "paula", &presenter());
    meeting.enters(0, "vic", &viewer());
    requests(&mut meeting, "vic").unwrap();
    decides(&mut meeting, "paula", "vic", false).unwrap();
    assert!(meeting.text().contains("to vic: Denied\n     to paula, vic: stage of vic: Off"), "{}", meeting.text());
    requests(&mut meeting, "vic").unwrap();
    meeting.act(2, "vic cancels", |session, now| session.cancel_stage_request(now, &id("vic"))).unwrap();
    assert_eq!(meeting.session.stage_requests(&id("paula")), Ok(vec![]));
    requests(&mut meeting, "vic").unwrap();
    meeting.leaves(3, "vic");
    assert_eq!(meeting.session.stage_requests(&id("paula")), Ok(vec![]));
    let out = preset(|preset| {
        preset.view_type = ViewType::Webinar;
        preset.stage_access = Some(CanProduce::NotAllowed);
    });
    meeting.enters(4, "out", &out);
    assert_eq!(requests(&mut meeting, "out"), Err(Refusal::NotAllowed));
    meeting.enters(4, "bo", &guest());
    assert_eq!(requests(&mut meeting, "bo"), Err(Refusal::NotAllowed), "a group call has no stage");
    assert_eq!(takes_off(&mut meeting, "bo", "bo"), Err(Refusal::NotAllowed));
}

#[test]
fn who_is_on_stage_survives_a_crash() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "paula", &presenter());
    meeting.enters(0, "vic", &viewer());
    decides(&mut meeting, "paula", "vic", true).unwrap();
    steps_on(&mut meeting, "vic").unwrap();
    takes_off(&mut meeting, "paula", "paula").unwrap();
    meeting.dies(5, 6);
    meeting.enters(7, "paula", &presenter());
    meeting.enters(7, "vic", &viewer());
    assert_eq!(meeting.session.peer(&id("vic"), &id("vic")).unwrap().stage, Stage::On);
    assert_eq!(meeting.session.peer(&id("vic"), &id("paula")).unwrap().stage, Stage::Off);
    steps_on(&mut meeting, "paula").unwrap();
}

#[test]
fn a_raised_hand_and_a_call_live_through_a_broken_connection_and_a_crash() {
    for crash in [false, true] {
        let mut meeting = Minutes::new();
        for (peer, preset) in [("paula", presenter()), ("vic", viewer()), ("val", viewer())] {
            meeting.enters(0, peer, &preset);
        }
        requests(&mut meeting, "vic").unwrap();
        decides(&mut meeting, "paula", "val", true).unwrap();
        if crash {
            meeting.dies(5, 6);
            meeting.enters(6, "paula", &presenter());
        } else {
            meeting.drops(5, "vic");
            meeting.drops(5, "val");
        }
        let asking = |meeting: &Minutes| meeting.session.stage_requests(&id("paula")).unwrap().len();
        assert_eq!(asking(&meeting), 1, "vic may come back");
        meeting.enters(7, "vic", &viewer());
        meeting.enters(7, "val", &viewer());
        let told = meeting.text();
        assert_eq!(told.matches("to val: Granted").count(), 2, "{told}");
        let stage_of = |peer| meeting.session.peer(&id("paula"), &id(peer)).unwrap().stage;
        assert_eq!((stage_of("vic"), stage_of("val")), (Stage::Requested, Stage::Approved));
        steps_on(&mut meeting, "val").unwrap();
        decides(&mut meeting, "paula", "vic", true).unwrap();
        meeting.act(8, "vic steps on", |session, now| session.join_stage(now, &id("vic"))).unwrap();
    }
}

#[test]
fn whoever_asks_and_does_not_come_back_asks_no_more_and_hosts_are_told() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "paula", &presenter());
    meeting.enters(0, "vic", &viewer());
    requests(&mut meeting, "vic").unwrap();
    meeting.drops(5, "vic");
    let before = meeting.text().len();
    meeting.time_passes(20);
    assert!(meeting.text()[before..].contains("to paula: [] ask for the stage"), "{}", meeting.text());
    assert_eq!(meeting.session.stage_requests(&id("paula")), Ok(vec![]));
    // A decision reaches those who are away.
    meeting.enters(21, "vic", &viewer());
    meeting.act(22, "vic asks", |session, now| session.request_stage(now, &id("vic"))).unwrap();
    meeting.drops(23, "vic");
    let whom = [participant("vic")];
    meeting.act(24, "paula calls", |session, now| session.decide_stage(now, &id("paula"), &whom, true)).unwrap();
    meeting.enters(25, "vic", &viewer());
    meeting.act(26, "vic steps on", |session, now| session.join_stage(now, &id("vic"))).unwrap();
}

#[test]
fn where_there_is_a_stage_only_those_ask_for_it_who_may_be_on_it() {
    for (view, access, outcome) in [
        (ViewType::Webinar, CanProduce::CanRequest, Ok(())),
        (ViewType::Webinar, CanProduce::NotAllowed, Err(Refusal::NotAllowed)),
        (ViewType::GroupCall, CanProduce::CanRequest, Err(Refusal::NotAllowed)),
    ] {
        let mut meeting = Minutes::new();
        let asks = preset(|preset| (preset.view_type, preset.stage_access) = (view, Some(access)));
        meeting.enters(0, "vic", &asks);
        assert_eq!(requests(&mut meeting, "vic"), outcome, "{view:?} {access:?}");
    }
}

//! Who is shown to people who cannot show everyone: who spoke last, who shares a screen, who is pinned.

use insta::assert_snapshot;

use super::minutes::{Minutes, guest, id, preset};
use crate::Preset;
use crate::ids::PeerId;
use crate::limits::MAX_SPEAKERS;
use crate::preset::Recorder;
use crate::session::{Message, Output, Refusal, Selected, Session};
use crate::time::Timestamp;

/// Ana, Bo and Cy with their microphones on, and what they were told is read.
fn three() -> Minutes {
    with_microphones(&["ana", "bo", "cy"])
}

fn with_microphones(peers: &[&str]) -> Minutes {
    let mut meeting = Minutes::new();
    for peer in peers {
        meeting.enters(0, peer, &guest());
        meeting.publishes(0, peer, "mic").unwrap();
    }
    meeting
}

/// The minutes from here on.
fn since(meeting: &Minutes, what: &str) -> String {
    let text = meeting.text();
    text[text.find(what).unwrap()..].to_string()
}

fn order(meeting: &Minutes) -> Vec<PeerId> {
    meeting.session.selections(&id("nobody")).speakers
}

#[test]
fn who_speaks_comes_to_the_front_and_keeps_it_for_a_moment() {
    let mut meeting = three();
    meeting.speaks(1, "cy").unwrap();
    meeting.speaks(2, "bo").unwrap();
    meeting.speaks(3, "bo").unwrap();
    meeting.leaves(4, "bo");
    meeting.speaks(4, "cy").unwrap();
    assert_eq!(order(&meeting), [id("cy")]);
    assert_snapshot!(since(&meeting, "0:01 cy"), @"
    0:01 cy speaks
         to ana, bo, cy: cy is in place 0
         = s1: 3 live, 3 at most, 0.05 min
    0:02 bo speaks
         to ana, bo, cy: bo is in place 1
         = s1: 3 live, 3 at most, 0.10 min
    0:03 bo speaks
         to ana, bo, cy: bo is in place 0
         = s1: 3 live, 3 at most, 0.15 min
    0:04 bo leaves
         media: close bo-mic
         to ana, cy: no more bo-mic
         to ana, bo, cy: bo is not in the order
         media: close connections of bo
         to ana, cy: bo has no media
         to ana, cy: bo is gone
         = s1: 2 live, 3 at most, 0.20 min
    0:04 cy speaks
         to ana, cy: cy is in place 0
         = s1: 2 live, 3 at most, 0.20 min
    ");
}

#[test]
fn a_screen_is_seen_by_everyone_and_by_those_who_come_later() {
    let mut meeting = three();
    meeting.speaks(1, "bo").unwrap();
    meeting.publishes(2, "bo", "screen").unwrap();
    meeting.enters(3, "dee", &guest());
    let late = meeting.session.selections(&id("dee"));
    assert_eq!((late.speakers, late.compulsory), (vec![id("bo")], vec![id("bo")]));
    assert_eq!(meeting.session.selections(&id("bo")).compulsory, [], "nobody is shown to itself");
    let screen = super::minutes::track("bo", "screen").id;
    meeting.act(4, "bo shares no more", |session, now| session.unpublish(now, &id("bo"), &screen)).unwrap();
    assert_eq!(meeting.session.selections(&id("dee")).compulsory, []);
    assert_snapshot!(since(&meeting, "0:02 bo"), @"
    0:02 bo publishes screen
         media: pass on bo-screen
         to ana, cy: new bo-screen on
         to ana: bo is in place 0 and has to be seen
         to bo: bo is in place 0
         to cy: bo is in place 0 and has to be seen
         = s1: 3 live, 3 at most, 0.10 min
    0:03 dee joins
         to ana, bo, cy: dee is here
         = s1: 4 live, 4 at most, 0.15 min
    0:03 dee has media and finds ana [ana-mic on] and finds bo [bo-mic on, bo-screen on] and finds cy [cy-mic on]
         to ana, bo, cy: dee has media
         = s1: 4 live, 4 at most, 0.15 min
    0:04 bo shares no more
         media: close bo-screen
         to ana, cy, dee: no more bo-screen
         to ana, bo, cy, dee: bo is in place 0
         = s1: 4 live, 4 at most, 0.22 min
    ");
}

#[test]
fn a_pin_is_seen_by_everyone_until_it_goes_to_another() {
    let mut meeting = three();
    meeting.joins(0, "hana", &preset(|preset| preset.pin_participant = true));
    for (second, whom) in [(1, Some("bo")), (2, Some("bo")), (3, Some("cy")), (4, None)] {
        let whom = whom.map(id);
        meeting.act(second, "hana pins", |session, now| session.pin(now, &id("hana"), whom.as_ref())).unwrap();
        assert_eq!(meeting.session.selections(&id("ana")).compulsory, Vec::from_iter(whom));
    }
    assert_snapshot!(since(&meeting, "0:01 hana"), @"
    0:01 hana pins
         to ana, bo, cy, hana: bo is pinned
         to ana: bo is not in the order and has to be seen
         to bo: bo is not in the order
         to cy: bo is not in the order and has to be seen
         = s1: 4 live, 4 at most, 0.07 min
    0:02 hana pins
         to ana, bo, cy, hana: bo is pinned
         = s1: 4 live, 4 at most, 0.13 min
    0:03 hana pins
         to ana, bo, cy, hana: cy is pinned
         to ana, bo: bo is not in the order, cy is not in the order and has to be seen
         to cy: bo is not in the order, cy is not in the order
         = s1: 4 live, 4 at most, 0.20 min
    0:04 hana pins
         to ana, bo, cy, hana: nobody is pinned
         to ana, bo, cy: cy is not in the order
         = s1: 4 live, 4 at most, 0.27 min
    ");
}

#[test]
fn whoever_closes_its_microphone_is_out_of_the_order() {
    let mut meeting = three();
    meeting.speaks(1, "bo").unwrap();
    meeting.speaks(3, "cy").unwrap();
    let mic = super::minutes::track("cy", "mic").id;
    meeting.act(4, "cy closes its microphone", |session, now| session.unpublish(now, &id("cy"), &mic)).unwrap();
    assert_eq!(order(&meeting), [id("bo")]);
    assert_eq!(meeting.speaks(5, "cy"), Err(Refusal::UnknownTrack));
    assert_eq!(order(&meeting), [id("bo")], "a late packet brings nobody back");
    let mic = super::minutes::track("bo", "mic").id;
    meeting.act(6, "bo mutes itself", |session, now| session.set_paused(now, &id("bo"), &mic, true)).unwrap();
    assert_eq!(order(&meeting), [id("bo")], "the muted one spoke last all the same");
    assert_eq!(meeting.speaks(6, "bo"), Err(Refusal::UnknownTrack));
}

#[test]
fn whoever_steps_off_stage_is_out_of_the_order() {
    let stage = |preset: &mut Preset| preset.stage_enabled = true;
    let mut meeting = three();
    meeting.enters(0, "dee", &preset(stage));
    meeting.publishes(0, "dee", "mic").unwrap();
    meeting.speaks(1, "dee").unwrap();
    assert_eq!(order(&meeting), [id("dee")]);
    let own = [super::minutes::participant("dee")];
    meeting.act(2, "dee steps down", |session, now| session.leave_stage(now, &id("dee"), &own)).unwrap();
    assert_eq!(order(&meeting), []);
    assert_snapshot!(since(&meeting, "0:02 dee"), @"
    0:02 dee steps down
         media: close dee-mic
         to ana, bo, cy: no more dee-mic
         to ana, bo, cy, dee: dee is not in the order
         to ana, bo, cy: stage of dee: Off
         = s1: 4 live, 4 at most, 0.13 min
    ");
}

#[test]
fn hidden_people_and_robots_are_never_selected() {
    let mut meeting = three();
    meeting.enters(0, "ghost", &preset(|preset| preset.hidden = true));
    meeting.enters(0, "robot", &preset(|preset| preset.recorder = Recorder::Recorder));
    for peer in ["ghost", "robot"] {
        meeting.publishes(1, peer, "mic").unwrap();
        let heard = meeting.act(2, "a voice", |session, now| session.handle_voice(now, &id(peer)));
        assert_eq!(heard, Err(Refusal::NotAllowed));
        meeting.publishes(3, peer, "screen").unwrap();
        meeting.leaves(4, peer);
    }
    assert!(!since(&meeting, "0:01 ghost").contains("order"), "{}", meeting.text());
}

#[test]
fn somebody_who_comes_back_learns_who_is_not_selected_any_more() {
    let mut meeting = three();
    meeting.speaks(1, "cy").unwrap();
    meeting.publishes(1, "bo", "screen").unwrap();
    meeting.drops(2, "ana");
    for (peer, what) in [("bo", "screen"), ("cy", "mic")] {
        let track = super::minutes::track(peer, what).id;
        meeting.act(3, &format!("{peer} ends its {what}"), |session, now| session.unpublish(now, &id(peer), &track)).unwrap();
    }
    meeting.enters(4, "ana", &guest());
    assert_snapshot!(since(&meeting, "0:04 ana"), @"
    0:04 ana joins
         media: close ana-mic
         to bo, cy: no more ana-mic
         = s1: 3 live, 3 at most, 0.20 min
    0:04 ana has media and finds bo [bo-mic on] and finds cy []
         to bo, cy: ana has media
         to ana: bo is not in the order, cy is not in the order
         to ana: bo-mic on by the server
         = s1: 3 live, 3 at most, 0.20 min
    ");
    // After a crash nobody knows who was told what: of those who shared a screen it is said again.
    meeting.publishes(5, "bo", "screen").unwrap();
    meeting.dies(6, 8);
    meeting.enters(9, "ana", &guest());
    assert_eq!(meeting.session.selections(&id("ana")), super::super::Selections::default());
    assert_snapshot!(since(&meeting, "0:09 ana has"), @"
    0:09 ana has media
         to ana: bo is not in the order
         = s1: 1 live, 3 at most, 0.35 min
    ");
}

/// What two who talk at once cost: `voice` is heard of both five times a second.
fn debate(seconds: i64) -> (usize, Vec<PeerId>) {
    let mut meeting = with_microphones(&["ana", "bo"]);
    let session: &mut Session = &mut meeting.session;
    let (mut told, mut fronts) = (0, Vec::new());
    let begin = session.record().unwrap().created_at;
    for tick in 0..seconds * 5 {
        for peer in ["ana", "bo"] {
            session.handle_voice(Timestamp(begin.0 + tick * 200), &id(peer)).unwrap();
        }
        for output in session.take_outputs() {
            let Output::Send { to, message: Message::Selected(news) } = output else { continue };
            if to != id("ana") {
                continue;
            }
            told += 1;
            for Selected { peer, place, .. } in news {
                fronts.extend((place == Some(0)).then_some(peer));
            }
        }
    }
    (told, fronts)
}

#[test]
fn two_who_talk_at_once_take_turns_at_the_front() {
    let (told, fronts) = debate(17);
    assert_eq!(fronts, ["ana", "bo", "ana", "bo", "ana"].map(id));
    assert_eq!(told, 6, "bo came behind ana, then the front changed every four seconds");
}

#[test]
fn the_order_is_as_long_as_anyone_can_show() {
    let names: Vec<String> = (0..MAX_SPEAKERS + 3).map(|n| format!("p{n}")).collect();
    let mut meeting = with_microphones(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, second) in names.iter().zip(1..) {
        meeting.speaks(second * 2, name).unwrap();
    }
    assert_eq!(order(&meeting).len(), MAX_SPEAKERS);
    assert!(meeting.text().contains("p30 is in place 0, p2 is not in the order"), "{}", meeting.text());
}

//! What somebody publishes whose connection broke, when it is back and publishes anew.

use insta::assert_snapshot;

use super::minutes::{Minutes, guest, host, id, join};
use super::track;
use crate::event::Track;
use crate::ids::TrackId;
use crate::preset::CanProduce;
use crate::session::{Mute, Refusal};

fn track_id(text: &str) -> TrackId {
    TrackId::parse(text).unwrap()
}

/// A host, and Bo, who publishes microphone and camera.
fn call() -> Minutes {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    for what in ["mic", "cam"] {
        meeting.publishes(1, "bo", what).unwrap();
    }
    meeting
}

/// Comes back while the media of all its tracks still flow.
fn comes_back(meeting: &mut Minutes, second: i64) {
    let flowing = meeting.session.tracks_of(&id("bo")).cloned().collect();
    meeting.joins_with(second, "bo is back", crate::session::Join { flowing, ..join("bo", &guest(), "s2") }).unwrap();
    meeting.completes(second, "bo");
}

/// Publishes anew under another name, as clients do; answers with the track that came of it.
fn goes_on(meeting: &mut Minutes, second: i64, what: &str) -> Result<Track, Refusal> {
    let new = track("bo", what);
    let before = meeting
        .does(second, &format!("bo is about to publish {what}"), |session, now| {
            session.take_leftover(now, &id("bo"), new.kind, new.screen_share)
        })
        .ok_or(Refusal::UnknownTrack)?;
    let new = Track { id: before, ..new };
    meeting.act(second, &format!("bo goes on with {what}"), |session, now| session.go_on(now, &id("bo"), new))
}

/// The minutes from a second on.
fn since<'a>(meeting: &'a Minutes, clock: &str) -> &'a str {
    let text = meeting.text();
    &text[text.find(clock).unwrap()..]
}

#[test]
fn who_publishes_anew_after_its_socket_broke_is_seen_and_heard_all_along() {
    let mut meeting = call();
    meeting.drops(10, "bo");
    comes_back(&mut meeting, 14);
    goes_on(&mut meeting, 15, "mic").unwrap();
    goes_on(&mut meeting, 15, "cam").unwrap();
    assert_eq!(goes_on(&mut meeting, 15, "cam"), Err(Refusal::UnknownTrack), "each of them once");
    meeting.time_passes(30);
    assert_snapshot!(since(&meeting, "0:14"), @"
    0:14 bo is back
         = s1: 2 live, 2 at most, 0.47 min
    0:14 bo has media and finds hana []
         to hana: bo has media
         = s1: 2 live, 2 at most, 0.47 min
    0:15 bo is about to publish mic
         = s1: 2 live, 2 at most, 0.50 min
    0:15 bo goes on with mic
         media: pass on bo-mic
         = s1: 2 live, 2 at most, 0.50 min
    0:15 bo is about to publish cam
         = s1: 2 live, 2 at most, 0.50 min
    0:15 bo goes on with cam
         media: pass on bo-cam
         = s1: 2 live, 2 at most, 0.50 min
    0:15 bo is about to publish cam
         = s1: 2 live, 2 at most, 0.50 min
    0:30 time passes
         = s1: 2 live, 2 at most, 1.00 min
    ");
}

#[test]
fn what_is_not_published_anew_ends_soon() {
    let mut meeting = call();
    meeting.drops(10, "bo");
    comes_back(&mut meeting, 14);
    goes_on(&mut meeting, 15, "mic").unwrap();
    assert_eq!(meeting.session.wake_at(), Some(super::minutes::at(17)));
    meeting.time_passes(17);
    assert_eq!(goes_on(&mut meeting, 18, "cam"), Err(Refusal::UnknownTrack));
    assert_snapshot!(since(&meeting, "0:17"), @"
    0:17 time passes
         media: close bo-cam
         to hana: no more bo-cam
         = s1: 2 live, 2 at most, 0.57 min
    0:18 bo is about to publish cam
         = s1: 2 live, 2 at most, 0.60 min
    ");
}

#[test]
fn what_does_not_come_in_any_more_ends_at_once() {
    let mut meeting = call();
    meeting.drops(10, "bo");
    let flowing = vec![track_id("bo-mic")];
    meeting.joins_with(14, "bo is back", crate::session::Join { flowing, ..join("bo", &guest(), "s2") }).unwrap();
    assert_snapshot!(since(&meeting, "0:14"), @"
    0:14 bo is back
         media: close bo-cam
         to hana: no more bo-cam
         = s1: 2 live, 2 at most, 0.47 min
    ");
}

#[test]
fn whoever_comes_while_somebody_is_away_is_told_of_what_still_comes_from_there() {
    let mut meeting = call();
    meeting.drops(10, "bo");
    meeting.enters(11, "cy", &guest());
    comes_back(&mut meeting, 12);
    // Its media begin anew once more: whatever it was is gone.
    meeting.completes(13, "bo");
    assert_snapshot!(since(&meeting, "0:11"), @"
    0:11 cy joins
         to hana: cy is here
         = s1: 2 live, 2 at most, 0.35 min
    0:11 cy has media and finds hana [] and finds bo [bo-cam on, bo-mic on]
         to hana: cy has media
         = s1: 2 live, 2 at most, 0.35 min
    0:12 bo is back
         = s1: 3 live, 3 at most, 0.42 min
    0:12 bo has media and finds hana [] and finds cy []
         to cy, hana: bo has media
         = s1: 3 live, 3 at most, 0.42 min
    0:13 bo has media and finds hana [] and finds cy []
         media: close bo-cam
         to cy, hana: no more bo-cam
         media: close bo-mic
         to cy, hana: no more bo-mic
         to cy, hana: bo has media
         = s1: 3 live, 3 at most, 0.47 min
    ");
}

#[test]
fn who_was_muted_meanwhile_stays_so() {
    let mute = Mute { audio: true, ..Mute::default() };
    for away in [true, false] {
        let mut meeting = call();
        meeting.drops(10, "bo");
        if !away {
            comes_back(&mut meeting, 11);
        }
        meeting.act(11, "hana mutes bo", |session, now| session.host_mute(now, &id("hana"), Some(&id("bo")), mute)).unwrap();
        if away {
            comes_back(&mut meeting, 12);
        }
        assert!(goes_on(&mut meeting, 12, "mic").unwrap().paused, "away: {away}");
        assert!(!goes_on(&mut meeting, 12, "cam").unwrap().paused, "away: {away}");
        assert!(!since(&meeting, "0:12").contains("pass on bo-mic"), "{}", meeting.text());
    }
}

#[test]
fn who_switched_itself_off_or_on_meanwhile_is_shown_so() {
    let mut meeting = call();
    let off = track_id("bo-cam");
    meeting.act(2, "bo's camera is off", |session, now| session.set_paused(now, &id("bo"), &off, true)).unwrap();
    meeting.drops(10, "bo");
    comes_back(&mut meeting, 14);
    goes_on(&mut meeting, 15, "cam").unwrap();
    assert_snapshot!(since(&meeting, "0:15"), @"
    0:15 bo is about to publish cam
         = s1: 2 live, 2 at most, 0.50 min
    0:15 bo goes on with cam
         media: pass on bo-cam
         to hana: bo-cam on by bo
         = s1: 2 live, 2 at most, 0.50 min
    ");
}

#[test]
fn who_may_not_send_any_more_does_not_and_who_leaves_or_is_put_out_is_gone() {
    let mut meeting = call();
    meeting.drops(10, "bo");
    comes_back(&mut meeting, 11);
    meeting.act(12, "hana kicks bo", |session, now| session.kick(now, &id("hana"), &[id("bo")])).unwrap();
    assert!(since(&meeting, "0:12").contains("media: close bo-mic"), "{}", meeting.text());
    assert_eq!(meeting.session.wake_at(), None, "nothing is left to end");

    let mut meeting = call();
    meeting.drops(10, "bo");
    comes_back(&mut meeting, 11);
    meeting.drops(12, "bo");
    assert_eq!(meeting.session.wake_at(), Some(super::minutes::at(27)), "only the grace is left");
    comes_back(&mut meeting, 13);
    let silent = super::minutes::preset(|preset| preset.audio = CanProduce::NotAllowed);
    let flowing = vec![track_id("bo-mic"), track_id("bo-cam")];
    meeting.joins_with(14, "bo is back", crate::session::Join { flowing, ..join("bo", &silent, "s2") }).unwrap();
    meeting.completes(14, "bo");
    assert_eq!(goes_on(&mut meeting, 15, "mic"), Err(Refusal::UnknownTrack));
    assert!(since(&meeting, "0:14").contains("no more bo-mic"), "{}", meeting.text());
}

#[test]
fn a_share_that_is_left_over_gives_way_and_goes_on() {
    let mut meeting = call();
    meeting.publishes(2, "bo", "screen").unwrap();
    meeting.drops(10, "bo");
    comes_back(&mut meeting, 11);
    goes_on(&mut meeting, 12, "screen").unwrap();
    assert_eq!(meeting.publishes(13, "hana", "screen"), Err(Refusal::Full), "there is one at a time");
    meeting.drops(20, "bo");
    comes_back(&mut meeting, 21);
    meeting.publishes(22, "hana", "screen").unwrap();
    assert_eq!(goes_on(&mut meeting, 22, "screen"), Err(Refusal::Full));
    assert!(since(&meeting, "0:22").contains("no more bo-screen"), "{}", meeting.text());
}

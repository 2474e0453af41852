//! What people publish: mute, forbidden unmute, stages, screens, and media that starts anew.

use insta::assert_snapshot;

use super::minutes::{Minutes, guest, host, id, participant, preset};
use super::track;
use crate::event::{EventBody, Track};
use crate::ids::TrackId;
use crate::limits::RESUMED_PER_MINUTE;
use crate::preset::{CanProduce, ViewType};
use crate::session::{Mute, Refusal, Session};

fn track_id(text: &str) -> TrackId {
    TrackId::parse(text).unwrap()
}

#[test]
fn a_host_mutes_somebody_who_may_unmute() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    for what in ["mic", "cam", "screen"] {
        meeting.publishes(1, "bo", what).unwrap();
    }
    let audio = Mute { audio: true, ..Mute::default() };
    let _ = meeting.act(2, "hana mutes bo", |session, now| session.host_mute(now, &id("hana"), Some(&id("bo")), audio));
    let _ = meeting.act(3, "bo unmutes", |session, now| session.set_paused(now, &id("bo"), &track_id("bo-mic"), false));
    let rest = Mute { video: true, screen_share: true, audio: false };
    let _ = meeting.act(4, "hana stops all pictures", |session, now| session.host_mute(now, &id("hana"), None, rest));
    assert_snapshot!(meeting.text(), @"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 hana has media
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:00 bo has media and finds hana []
         to hana: bo has media
         = s1: 2 live, 2 at most, 0.00 min
    0:01 bo publishes mic
         media: pass on bo-mic
         to hana: new bo-mic on
         = s1: 2 live, 2 at most, 0.03 min
    0:01 bo publishes cam
         media: pass on bo-cam
         to hana: new bo-cam on
         = s1: 2 live, 2 at most, 0.03 min
    0:01 bo publishes screen
         media: pass on bo-screen
         to hana: new bo-screen on
         to bo: bo is not in the order
         to hana: bo is not in the order and has to be seen
         = s1: 2 live, 2 at most, 0.03 min
    0:02 hana mutes bo
         media: pause bo-mic
         to bo, hana: bo-mic off by hana
         = s1: 2 live, 2 at most, 0.07 min
    0:03 bo unmutes
         media: pass on bo-mic
         to bo, hana: bo-mic on by bo
         = s1: 2 live, 2 at most, 0.10 min
    0:04 hana stops all pictures
         media: pause bo-cam
         to bo, hana: bo-cam off by hana
         media: close bo-screen
         to hana: no more bo-screen
         to bo, hana: bo is not in the order
         to bo: no more bo-screen
         = s1: 2 live, 2 at most, 0.13 min
    ");
}

/// Everything that comes of a peer and is on.
fn on(meeting: &Minutes, peer: &str) -> Vec<String> {
    let tracks = &meeting.session.record().unwrap().peers[&id(peer)].tracks;
    tracks.values().filter(|track| !track.paused).map(|track| track.id.to_string()).collect()
}

fn hana_mutes(meeting: &mut Minutes, second: i64, what: Mute) {
    meeting.act(second, "hana mutes bo", |session, now| session.host_mute(now, &id("hana"), Some(&id("bo")), what)).unwrap();
}

/// Comes back and publishes anew what was on before, as clients do that have not heard of anything.
fn comes_back(meeting: &mut Minutes, second: i64) -> Result<(), Refusal> {
    meeting.enters(second, "bo", &guest());
    ["mic", "cam"].into_iter().try_for_each(|what| meeting.publishes(second, "bo", what).map(drop))
}

const ALL: Mute = Mute { audio: true, video: true, screen_share: true };

#[test]
fn who_is_muted_while_away_is_muted_on_return_and_may_switch_on_again() {
    for kind in ["its socket broke", "nobody knows that its socket is dead", "the server died"] {
        let mut meeting = Minutes::new();
        meeting.enters(0, "hana", &host());
        meeting.enters(0, "bo", &guest());
        meeting.publishes(1, "bo", "mic").unwrap();
        meeting.publishes(1, "bo", "cam").unwrap();
        match kind {
            "its socket broke" => meeting.drops(2, "bo"),
            "the server died" => {
                meeting.dies(2, 3);
                meeting.enters(3, "hana", &host());
            }
            _ => {}
        }
        hana_mutes(&mut meeting, 4, ALL);
        comes_back(&mut meeting, 5).unwrap();
        assert_eq!(on(&meeting, "bo"), [""; 0], "{kind}");
        let mic = track_id("bo-mic");
        meeting.does(5, "bo is told", |session, _| session.tell_silenced(&id("bo"), &mic));
        assert!(meeting.text().contains("to bo: bo-mic off"), "{kind}: {}", meeting.text());
        // It breaks off once more before it could say that it has heard.
        meeting.drops(6, "bo");
        comes_back(&mut meeting, 7).unwrap();
        assert_eq!(on(&meeting, "bo"), [""; 0], "{kind}");
        meeting.act(8, "bo unmutes", |session, now| session.set_paused(now, &id("bo"), &mic, false)).unwrap();
        assert_eq!(on(&meeting, "bo"), ["bo-mic"], "{kind}");
        meeting.drops(9, "bo");
        comes_back(&mut meeting, 10).unwrap();
        assert_eq!(on(&meeting, "bo"), ["bo-mic"], "{kind}: the camera was never switched on again");
    }
}

#[test]
fn who_has_heard_of_being_muted_unmutes_as_it_likes() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "bo", "cam").unwrap();
    hana_mutes(&mut meeting, 2, ALL);
    // Its client says so.
    let cam = track_id("bo-cam");
    meeting.act(3, "bo's client is off", |session, now| session.set_paused(now, &id("bo"), &cam, true)).unwrap();
    meeting.act(4, "bo ends it", |session, now| session.unpublish(now, &id("bo"), &cam)).unwrap();
    meeting.publishes(5, "bo", "cam").unwrap();
    assert_eq!(on(&meeting, "bo"), ["bo-cam"], "switched on anew");
    // Who left and came in again begins anew.
    hana_mutes(&mut meeting, 6, ALL);
    meeting.leaves(7, "bo");
    comes_back(&mut meeting, 8).unwrap();
    assert_eq!(on(&meeting, "bo"), ["bo-cam", "bo-mic"]);
}

#[test]
fn a_share_that_was_stopped_while_its_owner_was_away_does_not_come_back_by_itself() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "bo", "screen").unwrap();
    meeting.drops(2, "bo");
    hana_mutes(&mut meeting, 3, ALL);
    meeting.enters(4, "bo", &guest());
    assert_eq!(meeting.publishes(5, "bo", "screen"), Err(Refusal::Muted));
    assert_eq!(meeting.publishes(5, "bo", "sound"), Err(Refusal::Muted), "nor its sound");
    meeting.publishes(9, "bo", "screen").unwrap();
    meeting.publishes(9, "bo", "sound").unwrap();
}

#[test]
fn a_share_of_somebody_who_is_away_holds_up_nobody() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "ana", "screen").unwrap();
    assert_eq!(meeting.publishes(2, "bo", "screen"), Err(Refusal::Full));
    meeting.drops(3, "ana");
    meeting.publishes(4, "bo", "screen").unwrap();
}

#[test]
fn the_api_mutes_everyone_and_forbids_to_unmute() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "hana", "mic").unwrap();
    meeting.publishes(1, "bo", "mic").unwrap();
    let muted = meeting.act(2, "the API mutes all for good", |session, now| session.mute_all(now, false));
    assert_eq!(muted, Ok(2));
    let unmute = |peer: &'static str| {
        move |session: &mut crate::Session, now| session.set_paused(now, &id(peer), &track_id(&format!("{peer}-mic")), false)
    };
    assert_eq!(meeting.act(3, "bo unmutes", unmute("bo")), Err(Refusal::Muted));
    assert_eq!(meeting.act(3, "hana unmutes", unmute("hana")), Ok(()));
    // Coming back or publishing anew is no way around it, nor is it for those who come later.
    meeting.drops(4, "bo");
    meeting.enters(5, "bo", &guest());
    assert!(meeting.publishes(6, "bo", "mic").unwrap().paused);
    meeting.enters(7, "cy", &guest());
    assert!(meeting.publishes(7, "cy", "mic").unwrap().paused);
    assert_eq!(meeting.act(8, "the API mutes all", |session, now| session.mute_all(now, true)), Ok(3));
    assert_eq!(meeting.act(9, "bo unmutes", unmute("bo")), Ok(()));
    assert_snapshot!(meeting.text(), @"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 hana has media
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:00 bo has media and finds hana []
         to hana: bo has media
         = s1: 2 live, 2 at most, 0.00 min
    0:01 hana publishes mic
         media: pass on hana-mic
         to bo: new hana-mic on
         = s1: 2 live, 2 at most, 0.03 min
    0:01 bo publishes mic
         media: pass on bo-mic
         to hana: new bo-mic on
         = s1: 2 live, 2 at most, 0.03 min
    0:02 the API mutes all for good
         media: pause bo-mic
         to bo, hana: bo-mic off by the server
         media: pause hana-mic
         to bo, hana: hana-mic off by the server
         = s1: 2 live, 2 at most, 0.07 min
    0:03 bo unmutes: Muted
         to bo: bo-mic off by the server
         = s1: 2 live, 2 at most, 0.10 min
    0:03 hana unmutes
         media: pass on hana-mic
         to bo, hana: hana-mic on by hana
         = s1: 2 live, 2 at most, 0.10 min
    0:04 bo's socket breaks
         = s1: 1 live, 2 at most, 0.13 min
    0:05 bo joins
         media: close bo-mic
         to hana: no more bo-mic
         = s1: 2 live, 2 at most, 0.17 min
    0:05 bo has media and finds hana [hana-mic on]
         to hana: bo has media
         to bo: hana-mic on by the server
         = s1: 2 live, 2 at most, 0.17 min
    0:06 bo publishes mic
         media: pause bo-mic
         to hana: new bo-mic off
         = s1: 2 live, 2 at most, 0.20 min
    0:07 cy joins
         to bo, hana: cy is here
         = s1: 3 live, 3 at most, 0.23 min
    0:07 cy has media and finds hana [hana-mic on] and finds bo [bo-mic off]
         to bo, hana: cy has media
         = s1: 3 live, 3 at most, 0.23 min
    0:07 cy publishes mic
         media: pause cy-mic
         to bo, hana: new cy-mic off
         = s1: 3 live, 3 at most, 0.23 min
    0:08 the API mutes all
         media: pause hana-mic
         to bo, cy, hana: hana-mic off by the server
         = s1: 3 live, 3 at most, 0.28 min
    0:09 bo unmutes
         media: pass on bo-mic
         to bo, cy, hana: bo-mic on by bo
         = s1: 3 live, 3 at most, 0.33 min
    ");
}

#[test]
fn somebody_whose_socket_broke_can_still_be_muted() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "bo", "mic").unwrap();
    meeting.drops(2, "bo");
    let audio = Mute { audio: true, ..Mute::default() };
    let _ = meeting.act(3, "hana mutes bo", |session, now| session.host_mute(now, &id("hana"), Some(&id("bo")), audio));
    let muted = meeting.does(4, "the API mutes bo", |session, now| session.mute_participants(now, &[participant("bo")]));
    assert_eq!(muted, [participant("bo")]);
    assert_snapshot!(meeting.text(), @"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 hana has media
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:00 bo has media and finds hana []
         to hana: bo has media
         = s1: 2 live, 2 at most, 0.00 min
    0:01 bo publishes mic
         media: pass on bo-mic
         to hana: new bo-mic on
         = s1: 2 live, 2 at most, 0.03 min
    0:02 bo's socket breaks
         = s1: 1 live, 2 at most, 0.07 min
    0:03 hana mutes bo
         media: pause bo-mic
         to hana: bo-mic off by hana
         = s1: 1 live, 2 at most, 0.08 min
    0:04 the API mutes bo
         = s1: 1 live, 2 at most, 0.10 min
    ");
}

#[test]
fn the_audience_of_a_webinar_does_not_publish() {
    let webinar = |access| {
        preset(|preset| {
            preset.view_type = ViewType::Webinar;
            preset.stage_access = Some(access);
            preset.audio = access;
            preset.video = access;
            preset.screenshare = access;
        })
    };
    let mut meeting = Minutes::new();
    meeting.enters(0, "speaker", &webinar(CanProduce::Allowed));
    meeting.enters(0, "asker", &webinar(CanProduce::CanRequest));
    meeting.enters(0, "viewer", &webinar(CanProduce::NotAllowed));
    assert!(meeting.publishes(1, "speaker", "cam").is_ok());
    assert_eq!(meeting.publishes(2, "asker", "cam"), Err(Refusal::OffStage));
    assert_eq!(meeting.publishes(3, "viewer", "cam"), Err(Refusal::NotAllowed));
    assert_snapshot!(meeting.text(), @"
    0:00 speaker joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 speaker has media
         = s1: 1 live, 1 at most, 0.00 min
    0:00 asker joins
         to speaker: asker is here
         = s1: 2 live, 2 at most, 0.00 min
    0:00 asker has media and finds speaker []
         to speaker: asker has media
         = s1: 2 live, 2 at most, 0.00 min
    0:00 viewer joins
         to asker, speaker: viewer is here
         = s1: 3 live, 3 at most, 0.00 min
    0:00 viewer has media and finds speaker [] and finds asker []
         to asker, speaker: viewer has media
         = s1: 3 live, 3 at most, 0.00 min
    0:01 speaker publishes cam
         media: pass on speaker-cam
         to asker, viewer: new speaker-cam on
         = s1: 3 live, 3 at most, 0.05 min
    0:02 asker publishes cam: OffStage
         = s1: 3 live, 3 at most, 0.10 min
    0:03 viewer publishes cam: NotAllowed
         = s1: 3 live, 3 at most, 0.15 min
    ");
}

#[test]
fn media_that_starts_anew_begins_with_nothing() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "ana", "mic").unwrap();
    meeting.publishes(1, "bo", "mic").unwrap();
    meeting.completes(10, "ana");
    let _ = meeting.act(11, "ana gives up media", |session, now| session.leave_media(now, &id("ana")));
    let _ = meeting.act(12, "ana gives up media", |session, now| session.leave_media(now, &id("ana")));
    assert_eq!(meeting.publishes(13, "ana", "mic"), Err(Refusal::NotJoined));
    meeting.completes(14, "ana");
    assert!(meeting.publishes(15, "ana", "mic").is_ok());
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 ana has media
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to ana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:00 bo has media and finds ana []
         to ana: bo has media
         = s1: 2 live, 2 at most, 0.00 min
    0:01 ana publishes mic
         media: pass on ana-mic
         to bo: new ana-mic on
         = s1: 2 live, 2 at most, 0.03 min
    0:01 bo publishes mic
         media: pass on bo-mic
         to ana: new bo-mic on
         = s1: 2 live, 2 at most, 0.03 min
    0:10 ana has media and finds bo [bo-mic on]
         media: close ana-mic
         to bo: no more ana-mic
         to bo: ana has media
         = s1: 2 live, 2 at most, 0.33 min
    0:11 ana gives up media
         media: close connections of ana
         to bo: ana has no media
         = s1: 2 live, 2 at most, 0.37 min
    0:12 ana gives up media
         media: close connections of ana
         = s1: 2 live, 2 at most, 0.40 min
    0:13 ana publishes mic: NotJoined
         = s1: 2 live, 2 at most, 0.43 min
    0:14 ana has media and finds bo [bo-mic on]
         to bo: ana has media
         = s1: 2 live, 2 at most, 0.47 min
    0:15 ana publishes mic
         media: pass on ana-mic
         to bo: new ana-mic on
         = s1: 2 live, 2 at most, 0.50 min
    ");
}

#[test]
fn nobody_publishes_before_others_have_heard_of_its_media() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    assert_eq!(meeting.publishes(1, "ana", "mic"), Err(Refusal::NotJoined));
}

#[test]
fn a_track_id_is_used_once() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "ana", "mic").unwrap();
    let again = meeting.act(2, "bo takes ana's", |session, now| session.publish(now, &id("bo"), track("ana", "mic")));
    assert_eq!(again, Err(Refusal::TrackIdTaken));
    assert_eq!(meeting.publishes(3, "ana", "mic"), Err(Refusal::TrackIdTaken));
    let _ = meeting.act(4, "ana ends it", |session, now| session.unpublish(now, &id("ana"), &track_id("ana-mic")));
    assert!(meeting.publishes(5, "ana", "mic").is_ok());
}

#[test]
fn nobody_touches_the_tracks_of_others() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "ana", "mic").unwrap();
    let mic = track_id("ana-mic");
    let paused = meeting.act(2, "bo pauses ana's", |session, now| session.set_paused(now, &id("bo"), &mic, true));
    assert_eq!(paused, Err(Refusal::UnknownTrack));
    let _ = meeting.act(3, "bo ends ana's", |session, now| session.unpublish(now, &id("bo"), &mic));
    assert_eq!(meeting.session.may_subscribe(&id("bo"), &id("ana"), &mic).map(|track| track.paused), Ok(false));
    assert_eq!(meeting.session.may_subscribe(&id("bo"), &id("cy"), &mic), Err(Refusal::UnknownPeer));
    assert_eq!(meeting.session.may_subscribe(&id("bo"), &id("bo"), &mic), Err(Refusal::UnknownTrack));
    assert_eq!(meeting.session.may_subscribe(&id("cy"), &id("ana"), &mic), Err(Refusal::NotJoined));
}

#[test]
fn one_screen_at_a_time_with_its_sound() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    assert!(meeting.publishes(1, "ana", "screen").is_ok());
    assert!(meeting.publishes(1, "ana", "sound").is_ok());
    assert_eq!(meeting.publishes(2, "bo", "screen"), Err(Refusal::Full));
    let screen = track_id("ana-screen");
    for (paused, what) in [(true, "ana holds the picture"), (false, "ana goes on")] {
        let done = meeting.act(3, what, |session, now| session.set_paused(now, &id("ana"), &screen, paused));
        assert_eq!(done, Ok(()), "the limit does not count against the one who reached it");
    }
    meeting.leaves(4, "ana");
    assert!(meeting.publishes(5, "bo", "screen").is_ok());
}

/// A connection that died is noticed by its client first: what it sends then is told before the server knows of the loss.
#[test]
fn what_somebody_sends_anew_takes_the_place_of_what_came_before() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    for what in ["mic", "cam", "screen", "sound"] {
        meeting.publishes(1, "bo", what).unwrap();
    }
    for what in ["mic", "cam", "screen", "sound"] {
        let anew = Track { id: track_id(&format!("bo-{what}-again")), ..track("bo", what) };
        let told = meeting.text().len();
        meeting.act(9, "bo sends it anew", |session, now| session.publish(now, &id("bo"), anew)).unwrap();
        let told = meeting.text()[told..].to_owned();
        let (gone, new) = (format!("no more bo-{what}\n"), format!("new bo-{what}-again on\n"));
        assert!(told.find(&gone).unwrap() < told.find(&new).unwrap(), "{told}");
    }
    let tracks = meeting.session.record().unwrap().peers[&id("bo")].tracks.keys().map(ToString::to_string);
    assert_eq!(tracks.collect::<Vec<_>>(), ["bo-cam-again", "bo-mic-again", "bo-screen-again", "bo-sound-again"]);
}

#[test]
fn those_who_were_muted_are_named_once_and_only_if_they_are_in() {
    let mut meeting = Minutes::new();
    for peer in ["bo", "bo-2", "cy"] {
        meeting.enters(0, peer, &guest());
    }
    let all = ["bo", "bo", "ghost", "cy"].map(participant);
    let muted = meeting.does(1, "they are muted", |session, now| session.mute_participants(now, &all));
    assert_eq!(muted, [participant("bo"), participant("cy")]);
}

#[test]
fn what_is_muted_twice_of_somebody_who_is_away_is_remembered_once() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    meeting.drops(1, "bo");
    let audio = Mute { audio: true, ..Mute::default() };
    let silenced =
        |meeting: &Minutes| meeting.events().iter().filter(|event| matches!(event.body, EventBody::Silenced { .. })).count();
    hana_mutes(&mut meeting, 2, audio);
    assert_eq!(silenced(&meeting), 1);
    hana_mutes(&mut meeting, 3, audio);
    assert_eq!(silenced(&meeting), 1);
}

#[test]
fn to_say_that_it_is_on_again_and_again_costs_nothing() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "bo", &guest());
    meeting.publishes(0, "bo", "mic").unwrap();
    let mut pauses = |second, paused| {
        let act = |session: &mut Session, now| session.set_paused(now, &id("bo"), &track_id("bo-mic"), paused);
        assert_eq!(meeting.act(second, &format!("bo: paused is {paused}"), act), Ok(()));
    };
    for _ in 0..=RESUMED_PER_MINUTE {
        pauses(1, false);
    }
    pauses(2, true);
    pauses(2, false);
}

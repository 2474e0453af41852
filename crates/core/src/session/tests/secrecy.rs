//! Who must not hear of whom: hidden people, people who wait, people who are out.

use insta::assert_snapshot;

use super::minutes::{Minutes, guest, host, id, join, participant, preset, waits};
use crate::preset::{Entry, Preset};
use crate::session::{Audience, Broadcast, Mute, Output, Refusal, Selections};

fn observer() -> Preset {
    preset(|preset| preset.hidden = true)
}

#[test]
fn a_hidden_observer_sees_and_is_not_seen() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(1, "spy", &observer());
    meeting.publishes(2, "ana", "mic").unwrap();
    meeting.publishes(2, "spy", "mic").unwrap();
    let mic = crate::TrackId::parse("spy-mic").unwrap();
    let _ = meeting.act(3, "spy holds", |session, now| session.set_paused(now, &id("spy"), &mic, true));
    let _ = meeting.act(3, "spy goes on", |session, now| session.set_paused(now, &id("spy"), &mic, false));
    let _ = meeting.act(4, "spy speaks", |session, now| session.handle_voice(now, &id("spy")));
    let _ = meeting.act(5, "spy takes a name", |session, now| session.rename(now, &id("spy"), &id("spy"), "Bond"));
    meeting.drops(6, "spy");
    meeting.enters(7, "spy", &observer());
    let _ = meeting.act(8, "spy gives up media", |session, now| session.leave_media(now, &id("spy")));
    meeting.completes(9, "ana");
    meeting.leaves(60, "spy");
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 ana has media
         = s1: 1 live, 1 at most, 0.00 min
    0:01 spy joins
         = s1: 1 live, 1 at most, 0.02 min
    0:01 spy has media and finds ana []
         = s1: 1 live, 1 at most, 0.02 min
    0:02 ana publishes mic
         media: pass on ana-mic
         to spy: new ana-mic on
         = s1: 1 live, 1 at most, 0.03 min
    0:02 spy publishes mic
         media: pass on spy-mic
         = s1: 1 live, 1 at most, 0.03 min
    0:03 spy holds
         media: pause spy-mic
         to spy: spy-mic off by spy
         = s1: 1 live, 1 at most, 0.05 min
    0:03 spy goes on
         media: pass on spy-mic
         to spy: spy-mic on by spy
         = s1: 1 live, 1 at most, 0.05 min
    0:04 spy speaks: NotAllowed
         = s1: 1 live, 1 at most, 0.07 min
    0:05 spy takes a name
         = s1: 1 live, 1 at most, 0.08 min
    0:06 spy's socket breaks
         = s1: 1 live, 1 at most, 0.10 min
    0:07 spy joins
         media: close spy-mic
         = s1: 1 live, 1 at most, 0.12 min
    0:07 spy has media and finds ana [ana-mic on]
         to spy: ana-mic on by the server
         = s1: 1 live, 1 at most, 0.12 min
    0:08 spy gives up media
         media: close connections of spy
         = s1: 1 live, 1 at most, 0.13 min
    0:09 ana has media
         media: close ana-mic
         = s1: 1 live, 1 at most, 0.15 min
    1:00 spy leaves
         media: close connections of spy
         = s1: 1 live, 1 at most, 1.00 min
    ");
}

#[test]
fn a_hidden_observer_cannot_be_found() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "spy", &observer());
    meeting.publishes(0, "spy", "mic").unwrap();
    let names = |peer: &str| {
        let peers = meeting.session.peers(&id(peer)).unwrap();
        peers.iter().map(|view| view.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("hana"), ["hana"]);
    assert_eq!(names("spy"), ["hana", "spy"]);
    assert_eq!(meeting.session.peer(&id("hana"), &id("spy")), Err(Refusal::UnknownPeer));
    assert!(meeting.session.peer(&id("spy"), &id("spy")).is_ok());
    assert_eq!(meeting.session.selections(&id("hana")), Selections::default());
    let mic = crate::TrackId::parse("spy-mic").unwrap();
    assert_eq!(meeting.session.may_subscribe(&id("hana"), &id("spy"), &mic), Err(Refusal::UnknownPeer));
    let audio = Mute { audio: true, ..Mute::default() };
    let muted = meeting.act(1, "hana mutes spy", |session, now| session.host_mute(now, &id("hana"), Some(&id("spy")), audio));
    assert_eq!(muted, Err(Refusal::UnknownPeer));
}

#[test]
fn a_hidden_host_is_not_named_as_the_one_who_muted() {
    let mut hidden_host = host();
    hidden_host.hidden = true;
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &hidden_host);
    meeting.enters(0, "bo", &guest());
    meeting.publishes(1, "bo", "mic").unwrap();
    let audio = Mute { audio: true, ..Mute::default() };
    let _ = meeting.act(2, "hana mutes all", |session, now| session.host_mute(now, &id("hana"), None, audio));
    assert!(meeting.text().contains("to bo, hana: bo-mic off by the server"), "{}", meeting.text());
}

#[test]
fn one_who_becomes_visible_or_hidden_counts_for_the_stays_in_which_it_was_visible() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.leaves(60, "ana");
    meeting.joins(60, "ana", &observer());
    meeting.leaves(100, "ana");
    meeting.joins(120, "ana", &guest());
    meeting.leaves(150, "ana");
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    1:00 ana leaves
         media: close connections of ana
         = s1: 0 live, 1 at most, 1.00 min
    1:00 ana joins
         = s1: 0 live, 1 at most, 1.00 min
    1:40 ana leaves
         media: close connections of ana
         = s1: 0 live, 1 at most, 1.00 min
    2:00 ana joins
         = s1: 1 live, 1 at most, 1.00 min
    2:30 ana leaves
         media: close connections of ana
         = s1: 0 live, 1 at most, 1.50 min
    ");
}

#[test]
fn those_who_wait_hear_nothing_of_the_meeting() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    meeting.joins(1, "cy", &waits(Entry::OnAccept));
    let mut told = Vec::new();
    let mut listen = |session: &mut crate::Session| {
        told.extend(session.take_outputs().into_iter().filter_map(|output| match output {
            Output::Send { to, message } if to == id("cy") => Some(message),
            _ => None,
        }));
    };
    let session = &mut meeting.session;
    let now = session.record().unwrap().updated_at;
    session.take_outputs();
    session.publish(now, &id("bo"), super::track("bo", "mic")).unwrap();
    session.handle_voice(now, &id("bo")).unwrap();
    session.rename(now, &id("bo"), &id("bo"), "Bob").unwrap();
    session.broadcast(now, &id("bo"), Audience::Others, broadcast()).unwrap();
    session.broadcast(now, &id("bo"), Audience::Peers(vec![id("cy")]), broadcast()).unwrap();
    session.mute_all(now, false).unwrap();
    session.leave(now, &id("bo"));
    session.join(now, join("dee", &guest(), "s9")).unwrap();
    listen(session);
    assert_eq!(told, []);
}

#[test]
fn those_who_are_not_in_get_no_answers() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.joins(0, "cy", &waits(Entry::OnAccept));
    meeting.joins(0, "dee", &host());
    meeting.leaves(1, "dee");
    meeting.joins(1, "flo", &host());
    meeting.drops(1, "flo");
    let what = Mute { audio: true, video: true, screen_share: true };
    for outsider in ["cy", "dee", "flo", "nobody"].map(id) {
        let session = &mut meeting.session;
        let before = session.record().cloned();
        let now = before.as_ref().unwrap().updated_at;
        let track = super::track("x", "mic");
        let somebody = [participant("cy")];
        let refused = [
            session.peers(&outsider).map(drop),
            session.peer(&outsider, &id("hana")).map(drop),
            session.complete_join(now, &outsider).map(drop),
            session.leave_media(now, &outsider),
            session.may_publish(&outsider, track.kind, false),
            session.publish(now, &outsider, track.clone()).map(drop),
            session.set_paused(now, &outsider, &track.id, true),
            session.unpublish(now, &outsider, &track.id),
            session.may_subscribe(&outsider, &id("hana"), &track.id).map(drop),
            session.handle_voice(now, &outsider),
            session.rename(now, &outsider, &outsider, "Somebody"),
            session.waiting_list(&outsider).map(drop),
            session.admit(now, &outsider, &somebody),
            session.deny(now, &outsider, &somebody),
            session.kick(now, &outsider, &[id("hana")]),
            session.kick_all(now, &crate::event::Actor::Peer(outsider.clone())).map(drop),
            session.host_mute(now, &outsider, None, what),
            session.broadcast(now, &outsider, Audience::Others, broadcast()),
        ];
        assert_eq!(refused, [Err(Refusal::NotJoined); 18], "{outsider}");
        assert_eq!(session.record().cloned(), before);
        assert_eq!(session.take_outputs(), []);
    }
}

fn broadcast() -> Broadcast {
    Broadcast { kind: "wave".to_string(), payload: Vec::new(), timestamp: 0, ids: Vec::new() }
}

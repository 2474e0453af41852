//! What all share has a smaller bound for each participant: one of them uses up its own part and nobody else's.

use super::minutes::{Minutes, facts, guest, host, id, join, participant, preset, track, waits};
use crate::event::{Actor, ChatContent, ChatKind, RecordedBy, RecordingKind, StoreItem};
use crate::ids::{ChatId, PollId, RecordingId};
use crate::limits::*;
use crate::permission::{Changes, Flag};
use crate::preset::{CanProduce, Entry, Preset};
use crate::session::{
    Act, Audience, Broadcast, ChatTo, Entered, Media, Mute, NewPermissions, NewPoll, NewRecording, Output, Refusal, Session,
};
use crate::time::Timestamp;

fn with(change: impl FnOnce(&mut Limits)) -> Minutes {
    let mut limits = Limits { grace_ms: 15_000, ..Limits::default() };
    change(&mut limits);
    Minutes::with_limits(limits)
}

#[test]
fn coming_and_going_in_a_loop_locks_nobody_out() {
    let mut meeting = with(|limits| limits.max_peers_ever = 3);
    meeting.joins(0, "bo", &guest());
    for n in 0..50 {
        let peer = format!("ana-{n}");
        meeting.joins(2 * n, &peer, &guest());
        meeting.leaves(2 * n + 1, &peer);
    }
    assert!(meeting.tries_to_join(100, "cy", &guest()).is_ok());
    assert_eq!(meeting.session.record().unwrap().people_ever(), 3);
}

#[test]
fn whoever_comes_and_goes_too_often_locks_out_itself() {
    let mut meeting = with(|limits| limits.max_entries = 5);
    meeting.joins(0, "bo", &guest());
    for n in 0..5 {
        meeting.joins(n, "ana", &guest());
        meeting.drops(n, "ana");
        meeting.joins(n, "ana", &guest());
        meeting.leaves(n, "ana");
    }
    assert_eq!(meeting.tries_to_join(9, "ana", &guest()), Err(Refusal::Full));
    assert!(meeting.tries_to_join(9, "cy", &guest()).is_ok());
}

#[test]
fn one_token_in_very_many_tabs_leaves_room_for_a_late_host() {
    let mut meeting = with(|limits| limits.max_peers = 20);
    meeting.joins(0, "bo", &guest());
    let came = (0..60).filter(|n| meeting.tries_to_join(1, &format!("ana-{n}"), &guest()).is_ok()).count();
    assert_eq!(came, Limits::default().max_tabs);
    assert_eq!(meeting.session.summary().unwrap().live, 17);
    assert!(meeting.tries_to_join(2, "hana", &host()).is_ok());
}

#[test]
fn a_tab_that_is_gone_gives_way_to_the_next_one() {
    let mut meeting = with(|limits| limits.max_tabs = 2);
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "ana-2", &guest());
    assert_eq!(meeting.tries_to_join(1, "ana-3", &guest()), Err(Refusal::Full), "both are there");
    meeting.drops(2, "ana");
    assert!(meeting.tries_to_join(3, "ana-3", &guest()).is_ok());
    assert_eq!(meeting.session.record().unwrap().people_count(), 2);
    assert!(matches!(meeting.tries_to_join(4, "ana", &guest()), Err(Refusal::Full)), "it has given way");
}

#[test]
fn when_it_is_full_those_go_first_who_have_several_places_and_are_not_there() {
    let mut meeting = with(|limits| limits.max_peers = 5);
    for peer in ["ana", "bo", "bo-2", "cy", "cy-2"] {
        meeting.joins(0, peer, &guest());
    }
    assert_eq!(meeting.tries_to_join(1, "dee", &guest()), Err(Refusal::Full), "all are there");
    meeting.drops(2, "ana");
    meeting.drops(4, "cy-2");
    assert!(meeting.tries_to_join(5, "dee", &guest()).is_ok());
    assert!(!meeting.session.record().unwrap().peers[&id("cy-2")].is_present());
    assert!(meeting.tries_to_join(6, "ana", &guest()).is_ok(), "she kept hers, though she was away longer");
}

#[test]
fn places_are_kept_for_those_who_keep_order() {
    let admits = preset(|preset| preset.accept_waiting_requests = true);
    let removes = preset(|preset| preset.kick_participant = true);
    let mut meeting = with(|limits| limits.max_peers = 20);
    for n in 0..18 {
        assert!(meeting.tries_to_join(0, &format!("p{n}"), &guest()).is_ok());
    }
    assert_eq!(meeting.tries_to_join(1, "late", &guest()), Err(Refusal::Full));
    assert!(meeting.tries_to_join(2, "hana", &admits).is_ok());
    assert_eq!(meeting.tries_to_join(3, "late", &guest()), Err(Refusal::Full));
    assert!(meeting.tries_to_join(4, "hugo", &removes).is_ok());
    assert_eq!(meeting.tries_to_join(5, "harriet", &host()), Err(Refusal::Full));
    meeting.leaves(6, "p0");
    assert!(meeting.tries_to_join(7, "late", &guest()).is_ok(), "a host who is there has the place that was kept");
}

#[test]
fn places_among_all_who_ever_come_are_kept_for_those_who_keep_order() {
    let mut meeting = with(|limits| limits.max_peers_ever = 10);
    for n in 0..9 {
        meeting.joins(n, &format!("p{n}"), &guest());
        meeting.leaves(n, &format!("p{n}"));
    }
    assert_eq!(meeting.tries_to_join(10, "late", &guest()), Err(Refusal::Full));
    assert!(meeting.tries_to_join(11, "hana", &host()).is_ok());
}

/// What somebody opens under made-up peers counts by whether that person is in.
#[test]
fn media_hears_when_a_person_comes_in_and_when_its_last_tab_leaves() {
    let mut session = Session::new(facts(), Limits::default());
    let mut hears = |act: &dyn Fn(&mut Session, Timestamp)| {
        act(&mut session, Timestamp(1_770_000_000_000));
        let inside = |output| match output {
            Output::Media(Media::Inside { participant: who, inside }) if who == participant("ana") => Some(inside),
            _ => None,
        };
        session.take_outputs().into_iter().filter_map(inside).collect::<Vec<_>>()
    };
    let joins = |peer: &'static str| move |session: &mut Session, now| drop(session.join(now, join(peer, &guest(), "s1")));
    assert_eq!(hears(&joins("ana")), [true]);
    hears(&joins("ana-2"));
    assert_eq!(hears(&|session, now| session.leave(now, &id("ana"))), [], "the other is still there");
    assert_eq!(hears(&|session, now| session.disconnect(now, &id("ana-2"))), [], "it may come back");
    assert_eq!(hears(&|session, now| session.leave(now, &id("ana-2"))), [false]);
    assert_eq!(hears(&joins("ana-3")), [true]);
    assert_eq!(hears(&|session, now| assert!(session.kick_all(now, &Actor::Api).is_ok())), [false]);
}

#[test]
fn joins_a_minute() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "ana", &guest());
    for n in 1..JOINS_PER_MINUTE {
        assert!(meeting.tries_to_join(1, &format!("ana-{}", n % 2), &guest()).is_ok());
    }
    assert_eq!(meeting.tries_to_join(2, "ana", &guest()), Err(Refusal::TooOften));
    assert!(meeting.tries_to_join(2, "bo", &guest()).is_ok());
    assert!(meeting.tries_to_join(61, "ana", &guest()).is_ok());
}

#[test]
fn asking_again_at_the_door_tells_the_host_nothing_new() {
    let knocks = waits(Entry::OnAccept);
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    let mut refused = 0;
    for n in 0..200 {
        refused += usize::from(meeting.tries_to_join(1, &format!("ana-{}", n % 3), &knocks) == Err(Refusal::TooOften));
    }
    assert_eq!(refused, 200 - JOINS_PER_MINUTE);
    assert_eq!(meeting.text().matches("] wait").count(), 3, "the list is told when it changes");
}

fn text(n: usize) -> (ChatId, ChatContent) {
    let id = ChatId::parse(&format!("m{n}")).unwrap();
    (id, ChatContent { kind: ChatKind::Text, payload: "hi".to_string() })
}

fn says(meeting: &mut Minutes, second: i64, peer: &str, n: usize) -> Result<(), Refusal> {
    let (fresh, content) = text(n);
    meeting.act(second, "somebody speaks", |session, now| session.say(now, &id(peer), fresh, ChatTo::Everyone, content))
}

#[test]
fn one_fills_its_share_of_the_record_and_the_others_go_on() {
    let mut meeting = with(|limits| limits.max_events = 100);
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    let written = (0..50).take_while(|n| says(&mut meeting, 1, "ana", *n).is_ok()).count();
    // Coming in was one of the ten.
    assert_eq!(written, 100 / SHARES_OF_THE_RECORD - 1);
    assert_eq!(says(&mut meeting, 2, "ana", 60), Err(Refusal::RecordFull));
    assert_eq!(says(&mut meeting, 2, "bo", 61), Ok(()));
}

#[test]
fn when_the_record_is_full_people_can_still_fall_silent_go_and_be_removed() {
    let mut meeting = with(|limits| limits.max_events = 60);
    let peers: Vec<String> = (0..16).map(|n| format!("p{n}")).collect();
    meeting.enters(0, "hana", &host());
    for peer in &peers {
        meeting.enters(0, peer, &guest());
    }
    meeting.publishes(1, "p0", "mic").unwrap();
    meeting.publishes(1, "p1", "mic").unwrap();
    let mut n = 0;
    while meeting.session.record().unwrap().seq < 60 {
        says(&mut meeting, 2, &peers[n % 16], n).unwrap();
        n += 1;
    }
    for peer in ["p0", "hana"] {
        assert_eq!(says(&mut meeting, 3, peer, 999), Err(Refusal::RecordFull));
    }
    assert_eq!(meeting.publishes(3, "p2", "mic").unwrap_err(), Refusal::RecordFull);
    assert_eq!(meeting.tries_to_join(3, "late", &guest()), Err(Refusal::RecordFull));
    assert!(meeting.tries_to_join(3, "p2", &guest()).is_ok(), "another socket of one who is here");
    let mic = track("p0", "mic").id;
    meeting.act(4, "p0 mutes itself", |session, now| session.set_paused(now, &id("p0"), &mic, true)).unwrap();
    let all = Mute { audio: true, ..Mute::default() };
    meeting.act(4, "hana mutes all", |session, now| session.host_mute(now, &id("hana"), None, all)).unwrap();
    assert!(meeting.session.record().unwrap().peers[&id("p1")].tracks.values().all(|track| track.paused));
    meeting.leaves(5, "p0");
    meeting.act(5, "hana kicks p1", |session, now| session.kick(now, &id("hana"), &[id("p1")])).unwrap();
    assert!(!meeting.session.record().unwrap().peers[&id("p1")].is_present());
    meeting.act(7, "hana ends it", |session, now| session.kick_all(now, &Actor::Peer(id("hana")))).unwrap();
    assert_eq!(meeting.session.summary(), None);
}

#[test]
fn a_host_still_comes_into_a_session_whose_record_is_full() {
    let mut meeting = with(|limits| limits.max_events = 100);
    for n in 0..20 {
        meeting.joins(0, &format!("p{n}"), &guest());
    }
    let mut n = 0;
    while meeting.session.record().unwrap().seq < 100 {
        says(&mut meeting, 1, &format!("p{}", n % 20), n).unwrap();
        n += 1;
    }
    assert_eq!(meeting.tries_to_join(2, "late", &guest()), Err(Refusal::RecordFull));
    assert!(meeting.tries_to_join(2, "hana", &host()).is_ok());
    assert_eq!(meeting.act(3, "hana ends it", |session, now| session.kick_all(now, &Actor::Peer(id("hana")))), Ok(21));
}

fn may_all() -> Preset {
    Preset {
        stage_enabled: true,
        stage_access: Some(CanProduce::CanRequest),
        accept_stage_requests: true,
        connected: crate::preset::ConnectedPermissions { can_alter: true, can_switch: true, can_switch_to_parent: true },
        ..host()
    }
}

/// Does something once; what undoes it again is done as well, so that it can be done once more.
fn once(session: &mut Session, now: Timestamp, act: Act, n: usize) -> Result<(), Refusal> {
    let (me, other) = (id("ana"), id("bo"));
    match act {
        Act::Join => {
            let mut join = super::minutes::join("ana", &may_all(), "s1");
            join.wanted_name = Some(format!("ana {}", n % 2));
            session.join(now, join).map(drop)
        }
        Act::Listing => session.list_peers(now, &me).map(drop),
        Act::Rename => session.rename(now, &me, &me, &format!("ana {n}")),
        Act::Broadcast => {
            let message = Broadcast { kind: "hi".to_string(), payload: Vec::new(), timestamp: 0, ids: Vec::new() };
            session.broadcast(now, &me, Audience::Others, message)
        }
        Act::MediaJoin => session.complete_join(now, &me).map(drop),
        Act::Publish => {
            let mut camera = track("ana", "cam");
            camera.id = crate::TrackId::parse(&format!("cam{n}")).unwrap();
            let published = session.publish(now, &me, camera)?;
            session.unpublish(now, &me, &published.id)
        }
        Act::Resume => {
            let mic = track("ana", "mic").id;
            session.set_paused(now, &me, &mic, true)?;
            session.set_paused(now, &me, &mic, false)
        }
        Act::StageRequest => {
            session.request_stage(now, &id("cy"))?;
            session.cancel_stage_request(now, &id("cy"))
        }
        Act::StageJoin => {
            // Called up anew by somebody who has other limits.
            session.decide_stage(now, &me, &[super::minutes::participant("cy")], true)?;
            session.join_stage(now, &id("cy"))?;
            session.leave_stage(now, &id("cy"), &[super::minutes::participant("cy")])
        }
        Act::Host => session.pin(now, &me, n.is_multiple_of(2).then_some(&other)),
        Act::Remove => session.kick(now, &me, &[id("nobody")]),
        Act::StoreWrite => session.store_set(now, &me, "s", vec![StoreItem { key: "k".to_string(), payload: n.to_string() }]),
        Act::ChatText => session.say(now, &me, text(n).0, ChatTo::Everyone, text(n).1),
        Act::ChatFile => {
            let content = ChatContent { kind: ChatKind::Image, ..text(n).1 };
            session.say(now, &me, text(n).0, ChatTo::Everyone, content)
        }
        Act::Upload => session.upload(now, &super::minutes::participant("ana")),
        Act::PollCreate | Act::Vote => {
            let poll = PollId::parse(&format!("q{n}")).unwrap();
            let options = vec!["yes".to_string(), "no".to_string()];
            let new = NewPoll { id: poll.clone(), question: "?".to_string(), options, anonymous: false, hide_votes: false };
            if act == Act::Vote {
                // More than there may be polls: it is refused for another reason before.
                return session.ask(now, &me, act);
            }
            session.create_poll(now, &Actor::Peer(me), "", new).map(drop)
        }
        Act::ConnectedList => session.list_connected(now, &me).map(drop),
        Act::ConnectedChange => session.may_alter_connected(now, &me, 1),
        Act::PermissionChange => {
            let mut changes = Changes::default();
            changes.flags.insert(Flag::EditDisplayName, n.is_multiple_of(2));
            let participant = super::minutes::participant("bo");
            session.change_permissions(now, &me, &[NewPermissions { participant, changes, hidden: None, robot: None }])
        }
        Act::Record => {
            let by = RecordedBy::Participant(super::minutes::participant("ana"));
            let recording = RecordingId::parse(&format!("r{n}")).unwrap();
            let new = NewRecording { id: recording.clone(), kind: RecordingKind::Track, max_ms: 60_000, beside_others: false };
            session.start_recording(now, &by, new)?;
            session.recording_ended(now, &recording, None);
            Ok(())
        }
        Act::PermissionRead => session.read_permissions(now, &me, &[super::minutes::participant("bo")]).map(drop),
        // Counted for what the doors read or do outside of the session.
        Act::Look | Act::HostListing | Act::MediaConnect | Act::Subscribe | Act::StoreRead | Act::ChatRead | Act::PollRead => {
            session.ask(now, &me, act)
        }
    }
}

#[test]
fn everything_that_people_do_has_a_rate() {
    for act in Act::ALL {
        let mut meeting = Minutes::new();
        let speaker = Preset { stage_enabled: false, ..may_all() };
        for (peer, preset) in [("ana", &speaker), ("bo", &speaker), ("cy", &may_all())] {
            meeting.enters(0, peer, preset);
        }
        meeting.publishes(0, "ana", "mic").unwrap();
        let decides = Preset { stage_access: Some(CanProduce::Allowed), ..may_all() };
        if matches!(act, Act::StageJoin) {
            meeting.joins(0, "ana", &decides);
        }
        let later = meeting.session.record().unwrap().updated_at.plus_ms(120_000);
        // The list that a client fetches as it comes in is free.
        let _ = meeting.session.list_peers(later, &id("ana"));
        let (most, within_ms) = act.limit();
        let done = (0..most).map(|n| once(&mut meeting.session, later, *act, n)).filter(Result::is_ok).count();
        assert_eq!(done, most, "{act:?} may be done so often");
        assert_eq!(once(&mut meeting.session, later, *act, most), Err(Refusal::TooOften), "{act:?}");
        let again = later.plus_ms(within_ms);
        assert_eq!(once(&mut meeting.session, again, *act, most + 1), Ok(()), "{act:?} after a while");
    }
}

#[test]
fn a_waiting_person_takes_one_of_its_places() {
    let knocks = waits(Entry::OnAccept);
    let mut meeting = with(|limits| limits.max_tabs = 2);
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "ana", &knocks);
    meeting.joins(0, "ana-2", &knocks);
    assert_eq!(meeting.tries_to_join(1, "ana-3", &knocks), Err(Refusal::Full));
    assert!(matches!(meeting.tries_to_join(1, "ana-2", &knocks), Ok(Entered::Waiting(_))));
}

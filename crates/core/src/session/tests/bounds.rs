//! Every bound: what happens when it is reached, and that it does not hit those it should not.

use super::minutes::{Minutes, guest, host, id, join, participant, waits};
use super::track;
use crate::ids::MAX_ID_LEN;
use crate::limits::*;
use crate::preset::Entry;
use crate::session::{Audience, Broadcast, Refusal, Selections};

fn limits(max_peers: usize, max_peers_ever: usize) -> Limits {
    Limits { max_peers, max_peers_ever, ..Limits::default() }
}

#[test]
fn a_full_session_keeps_the_places_of_those_who_are_there() {
    let mut meeting = Minutes::with_limits(limits(2, 100));
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    assert_eq!(meeting.tries_to_join(1, "cy", &guest()), Err(Refusal::Full));
    meeting.drops(2, "ana");
    assert!(meeting.tries_to_join(3, "ana", &guest()).is_ok());
    assert!(meeting.tries_to_join(3, "ana", &guest()).is_ok(), "another socket takes no other place");
    meeting.drops(4, "bo");
    meeting.drops(5, "ana");
    assert!(meeting.tries_to_join(6, "cy", &guest()).is_ok(), "whoever is away holds up nobody");
    assert_eq!(meeting.tries_to_join(7, "bo", &guest()).map(drop), Ok(()), "and has a place as long as there is one");
    assert_eq!(meeting.tries_to_join(8, "ana", &guest()), Err(Refusal::Full), "bo was away longest, then ana was");
}

#[test]
fn those_who_wait_have_a_place_and_come_in_on_it() {
    let knocks = waits(Entry::OnAccept);
    let mut meeting = Minutes::with_limits(limits(2, 100));
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &knocks);
    assert_eq!(meeting.tries_to_join(1, "cy", &knocks), Err(Refusal::Full));
    assert!(meeting.tries_to_join(2, "bo", &knocks).is_ok(), "asking again");
    meeting.act(3, "hana admits bo", |session, now| session.admit(now, &id("hana"), &[participant("bo")])).unwrap();
    meeting.joins(4, "bo", &knocks);
    assert_eq!(meeting.session.summary().unwrap().live, 2);
}

#[test]
fn so_many_people_may_ever_come_in() {
    let mut meeting = Minutes::with_limits(limits(10, 3));
    for (second, peer) in [(0, "ana"), (1, "bo"), (2, "cy")] {
        meeting.joins(second, peer, &guest());
    }
    meeting.leaves(3, "ana");
    assert_eq!(meeting.tries_to_join(4, "dee", &guest()), Err(Refusal::Full));
    assert!(meeting.tries_to_join(5, "ana", &guest()).is_ok(), "somebody who was here before is nobody new");
    for (second, peer) in [(6, "ana"), (6, "bo"), (6, "cy")] {
        meeting.leaves(second, peer);
    }
    meeting.time_passes(66);
    assert!(meeting.tries_to_join(67, "dee", &guest()).is_ok(), "the next session counts anew");
}

#[test]
fn a_peer_has_one_track_of_each_source_however_many_it_publishes() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    for n in 0..20 {
        for what in ["cam", "mic", "screen", "sound"] {
            let mut track = track("ana", what);
            track.id = crate::TrackId::parse(&format!("ana-{what}-{n}")).unwrap();
            meeting.act(n, "ana publishes", |session, now| session.publish(now, &id("ana"), track)).unwrap();
        }
    }
    let tracks = meeting.session.record().unwrap().peers[&id("ana")].tracks.keys().map(ToString::to_string);
    assert_eq!(tracks.collect::<Vec<_>>(), ["ana-cam-19", "ana-mic-19", "ana-screen-19", "ana-sound-19"]);
}

#[test]
fn a_track_carries_so_much_text() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    type Field = fn(&mut crate::event::Track) -> &mut String;
    let fields: [(Field, usize); 3] = [
        (|track| &mut track.app_data, MAX_APP_DATA_BYTES),
        (|track| &mut track.mime_type, MAX_TRACK_LABEL_BYTES),
        (|track| &mut track.transport, MAX_TRACK_LABEL_BYTES),
    ];
    for (n, (field, most)) in fields.into_iter().enumerate() {
        for (length, expected) in [(most + 1, Err(Refusal::TooLarge)), (most, Ok(()))] {
            let mut track = track("ana", "cam");
            track.id = crate::TrackId::parse(&format!("ana-cam-{n}")).unwrap();
            *field(&mut track) = "x".repeat(length);
            let done = meeting.act(1, "ana publishes", |session, now| session.publish(now, &id("ana"), track));
            assert_eq!(done.map(drop), expected);
        }
    }
}

#[test]
fn a_name_has_so_many_characters() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    let mut rename = |name: &str| meeting.act(1, "ana renames", |session, now| session.rename(now, &id("ana"), &id("ana"), name));
    assert_eq!(rename(&"ä".repeat(MAX_NAME_CHARS)), Ok(()));
    assert_eq!(rename(&"ä".repeat(MAX_NAME_CHARS + 1)), Err(Refusal::TooLarge));
    for bad in [" \t", "ana\nhost", "ana\u{202E}tsoh", "\u{200B}"] {
        assert_eq!(rename(bad), Err(Refusal::BadName), "{bad:?}");
    }
    let seq = meeting.session.record().unwrap().seq;
    let same = "ä".repeat(MAX_NAME_CHARS);
    meeting.act(2, "ana renames", |session, now| session.rename(now, &id("ana"), &id("ana"), &same)).unwrap();
    assert_eq!(meeting.session.record().unwrap().seq, seq, "the same name is no event");
    // On joining there is nobody to refuse to: both the wish and the given name are cut.
    // What is no name is not taken.
    let mut nameless = join("cy", &guest(), "s1");
    nameless.wanted_name = Some("\u{202E}yc".to_string());
    meeting.joins_with(3, "cy joins", nameless).unwrap();
    assert_eq!(meeting.session.peer(&id("cy"), &id("cy")).unwrap().name, "cy");
    for wanted in [None, Some("ö".repeat(10_000))] {
        let mut join = join("bo", &guest(), "s1");
        join.name = "o".repeat(10_000);
        join.wanted_name = wanted;
        meeting.joins_with(3, "bo joins", join).unwrap();
        assert_eq!(meeting.session.peer(&id("bo"), &id("bo")).unwrap().name.chars().count(), MAX_NAME_CHARS);
    }
}

#[test]
fn custom_ids_are_any_text() {
    let mut meeting = Minutes::new();
    for (n, custom) in ["", "a b", "ünï/…\0", &"x".repeat(10_000)].into_iter().enumerate() {
        let mut join = join(&format!("p{n}"), &guest(), "s1");
        join.custom_participant_id = custom.to_string();
        meeting.joins_with(0, "somebody joins", join).unwrap();
        let found = meeting.session.find_participants(&[], &[custom.to_string()]);
        assert_eq!(found, [participant(&format!("p{n}"))]);
    }
    assert_eq!(meeting.session.find_participants(&["no id at all".to_string()], &[]), []);
}

fn broadcast() -> Broadcast {
    Broadcast { kind: "wave".to_string(), payload: Vec::new(), timestamp: 0, ids: Vec::new() }
}

#[test]
fn five_broadcasts_in_any_second() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    let start = meeting.session.record().unwrap().updated_at;
    let mut send = |peer: &str, ms| meeting.session.broadcast(start.plus_ms(ms), &id(peer), Audience::Others, broadcast());
    for ms in [0, 200, 400, 600, 800] {
        assert_eq!(send("ana", ms), Ok(()));
    }
    assert_eq!(send("ana", 999), Err(Refusal::TooOften));
    assert_eq!(send("bo", 999), Ok(()), "others are not held up");
    assert_eq!(send("ana", 1_000), Ok(()));
    assert_eq!(send("ana", 1_199), Err(Refusal::TooOften));
    assert_eq!(send("ana", 1_200), Ok(()));
}

#[test]
fn what_one_participant_may_do_so_often_all_tabs_do_together_and_a_reconnect_is_no_new_start() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "ana-2", &guest());
    let start = meeting.session.record().unwrap().updated_at;
    let send = |meeting: &mut Minutes, peer: &str, ms| {
        meeting.session.broadcast(start.plus_ms(ms), &id(peer), Audience::Others, broadcast())
    };
    for (peer, ms) in [("ana", 0), ("ana-2", 0), ("ana", 100), ("ana-2", 200), ("ana-2", 300)] {
        assert_eq!(send(&mut meeting, peer, ms), Ok(()));
    }
    assert_eq!(send(&mut meeting, "ana", 400), Err(Refusal::TooOften));
    meeting.drops(0, "ana");
    meeting.joins(0, "ana", &guest());
    assert_eq!(send(&mut meeting, "ana", 999), Err(Refusal::TooOften));
    assert_eq!(send(&mut meeting, "ana", 1_000), Ok(()));
}

/// Clients fetch the list once when they have joined or come back; what is asked beyond that counts.
#[test]
fn ten_lists_of_people_in_any_minute() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "ana-2", &guest());
    let list = |meeting: &mut Minutes, second, peer: &str| {
        meeting.act(second, "lists", |session, now| session.list_peers(now, &id(peer)).map(|peers| peers.len()))
    };
    for peer in ["ana", "ana-2"] {
        assert_eq!(list(&mut meeting, 1, peer), Ok(2));
    }
    for peer in ["ana", "ana-2"].repeat(5) {
        assert_eq!(list(&mut meeting, 2, peer), Ok(2));
    }
    assert_eq!(list(&mut meeting, 3, "ana"), Err(Refusal::TooOften));
    meeting.drops(4, "ana");
    meeting.joins(5, "ana", &guest());
    assert_eq!(list(&mut meeting, 6, "ana"), Ok(2));
    assert_eq!(list(&mut meeting, 7, "ana"), Err(Refusal::TooOften));
    assert_eq!(list(&mut meeting, 62, "ana"), Ok(2));
}

#[test]
fn a_broadcast_is_so_large() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    let peers = |n: usize| Audience::Peers((0..n).map(|n| id(&format!("p{n}"))).collect());
    let with = |change: fn(&mut Broadcast)| {
        let mut message = broadcast();
        change(&mut message);
        message
    };
    let too_large = [
        (Audience::Others, with(|message| message.payload = vec![0; MAX_BROADCAST_BYTES + 1])),
        (Audience::Others, with(|message| message.kind = "x".repeat(MAX_BROADCAST_TYPE_BYTES + 1))),
        (Audience::Others, with(|message| message.ids = vec![String::new(); MAX_BROADCAST_IDS + 1])),
        (Audience::Others, with(|message| message.ids = vec!["x".repeat(MAX_ID_LEN + 1)])),
        (peers(MAX_BROADCAST_IDS + 1), broadcast()),
    ];
    for (to, message) in too_large {
        let done = meeting.act(1, "ana broadcasts", |session, now| session.broadcast(now, &id("ana"), to, message));
        assert_eq!(done, Err(Refusal::TooLarge));
    }
    let most = with(|message| {
        message.payload = vec![0; MAX_BROADCAST_BYTES];
        message.kind = "x".repeat(MAX_BROADCAST_TYPE_BYTES);
        message.ids = vec!["x".repeat(MAX_ID_LEN); MAX_BROADCAST_IDS];
    });
    let to = peers(MAX_BROADCAST_IDS);
    assert_eq!(meeting.act(1, "ana broadcasts", |session, now| session.broadcast(now, &id("ana"), to, most)), Ok(()));
}

#[test]
fn what_belongs_to_a_connection_goes_with_it() {
    let mut meeting = Minutes::new();
    let session = |meeting: &Minutes| {
        let session = &meeting.session;
        (session.roster.peers().count(), session.grace.len(), session.waiting.len())
    };
    for peer in ["ana", "bo", "cy"] {
        meeting.enters(0, peer, &guest());
        meeting.act(0, "hello", |session, now| session.broadcast(now, &id(peer), Audience::Others, broadcast())).unwrap();
    }
    meeting.joins(0, "dee", &waits(Entry::OnAccept));
    assert_eq!(session(&meeting), (3, 0, 1));
    meeting.drops(1, "ana");
    meeting.leaves(1, "bo");
    assert_eq!(session(&meeting), (1, 1, 1));
    meeting.act(2, "the API ends it", |session, now| session.kick_all(now, &crate::event::Actor::Api)).unwrap();
    assert_eq!(session(&meeting), (0, 0, 0));
    assert_eq!(meeting.session.selections(&id("x")), Selections::default());
    assert_eq!(meeting.session.wake_at(), None);
}

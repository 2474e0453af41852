//! Connected meetings: who may make them, who may go where, and a session whose people are elsewhere.

use std::sync::Arc;

use super::minutes::{Minutes, at, guest, id, join, participant, preset, waits};
use crate::ids::{MeetingId, ParticipantId};
use crate::limits::{CONNECTED_LISTS_PER_MINUTE, MAX_CONNECTED_MEETINGS, MAX_CONNECTED_TITLE_CHARS, MAX_MOVED};
use crate::preset::{ConnectedPermissions, Entry, Preset};
use crate::session::{Broadcast, ConnectedView, Move, Refusal, RoomView, Ticket};

fn with(can_alter: bool, can_switch: bool, can_switch_to_parent: bool) -> Preset {
    preset(|preset| preset.connected = ConnectedPermissions { can_alter, can_switch, can_switch_to_parent })
}

fn here() -> MeetingId {
    MeetingId::parse("meeting").unwrap()
}

fn room(name: &str) -> MeetingId {
    MeetingId::parse(name).unwrap()
}

/// A wish to move people from here.
fn to(destination: &str, people: &[&str]) -> Move {
    Move {
        source: here(),
        destination: room(destination),
        to_parent: destination == "parent",
        people: people.iter().map(|name| participant(name)).collect(),
        changes_presets: false,
    }
}

fn wishes(meeting: &mut Minutes, who: &str, wish: &Move) -> Result<bool, Refusal> {
    meeting.act(5, &format!("{who} wants to move people"), |session, now| session.may_move(now, &id(who), wish))
}

/// Those of `people` who can go are sent.
fn sent(meeting: &mut Minutes, second: i64, destination: &str, people: &[&str]) -> Result<(), Refusal> {
    let people: Vec<ParticipantId> = people.iter().map(|name| participant(name)).collect();
    meeting.act(second, &format!("people are sent to {destination}"), |session, now| {
        let found = session.movable(now, &people, &room(destination))?;
        let ticket = |who: &ParticipantId| Ticket(format!("a ticket of {who}"));
        let tickets: Vec<_> = found.iter().map(|who| (who.participant.clone(), ticket(&who.participant))).collect();
        session.send_on(now, &room(destination), &tickets);
        Ok(())
    })
}

#[test]
fn whoever_may_alter_moves_anyone_and_others_only_themselves_where_they_may_go() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hanna", &with(true, false, false));
    meeting.enters(0, "gus", &with(false, true, false));
    meeting.enters(0, "pia", &with(false, false, true));
    meeting.enters(0, "nora", &guest());
    for (who, wish, outcome) in [
        ("hanna", to("room", &["gus", "nora"]), Ok(true)),
        ("hanna", to("parent", &["hanna"]), Ok(true)),
        ("gus", to("room", &["gus"]), Ok(true)),
        ("gus", to("parent", &["gus"]), Err(Refusal::NotAllowed)),
        ("gus", to("room", &["gus", "nora"]), Err(Refusal::NotAllowed)),
        ("gus", to("room", &["hanna"]), Err(Refusal::NotAllowed)),
        ("gus", Move { source: room("elsewhere"), ..to("room", &["gus"]) }, Err(Refusal::NotAllowed)),
        ("pia", to("parent", &["pia"]), Ok(false)),
        ("pia", to("room", &["pia"]), Err(Refusal::NotAllowed)),
        ("nora", to("room", &["nora"]), Err(Refusal::NotAllowed)),
        ("stranger", to("room", &["stranger"]), Err(Refusal::NotJoined)),
    ] {
        assert_eq!(wishes(&mut meeting, who, &wish), outcome, "{who}: {wish:?}");
    }
}

#[test]
fn presets_are_given_by_whoever_may_alter_and_never_to_oneself() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hanna", &with(true, true, true));
    meeting.enters(0, "gus", &with(false, true, true));
    let with_preset = |people: &[&str]| Move { changes_presets: true, ..to("room", people) };
    assert_eq!(wishes(&mut meeting, "hanna", &with_preset(&["gus"])), Ok(true));
    assert_eq!(wishes(&mut meeting, "hanna", &with_preset(&["gus", "hanna"])), Err(Refusal::NotAllowed));
    assert_eq!(wishes(&mut meeting, "gus", &with_preset(&["gus"])), Err(Refusal::NotAllowed));
}

#[test]
fn making_rooms_takes_leave_a_title_and_measure() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hanna", &with(true, false, false));
    meeting.enters(0, "gus", &with(false, true, true));
    let mut make = |who: &str, titles: &[&str]| {
        let titles: Vec<String> = titles.iter().map(ToString::to_string).collect();
        meeting.act(1, &format!("{who} makes rooms"), |session, now| session.may_create_connected(now, &id(who), &titles))
    };
    assert_eq!(make("hanna", &["Room 1", "Room 2"]), Ok(()));
    assert_eq!(make("gus", &["Room 1"]), Err(Refusal::NotAllowed));
    assert_eq!(make("hanna", &["Room 1", "  "]), Err(Refusal::Untitled));
    assert_eq!(make("hanna", &["Room 1", "2\u{202E}moor"]), Err(Refusal::BadName));
    assert_eq!(make("hanna", &["x".repeat(513).as_str()]), Err(Refusal::TooLarge));
    assert_eq!(make("hanna", &["Room"; 101]), Err(Refusal::TooLarge));
    let crowd: Vec<String> = (0..=MAX_MOVED).map(|n| format!("p{n}")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    assert_eq!(wishes(&mut meeting, "hanna", &to("room", &crowd)), Err(Refusal::TooLarge));
}

#[test]
fn all_devices_of_a_person_are_sent_once_until_they_are_surely_not_going() {
    let mut meeting = Minutes::new();
    for peer in ["gus", "gus-2", "nora"] {
        meeting.enters(0, peer, &guest());
    }
    sent(&mut meeting, 1, "room", &["gus"]).unwrap();
    assert!(meeting.text().contains("to gus, gus-2: go to room with a ticket of gus"), "{}", meeting.text());
    let said = |meeting: &Minutes| meeting.text().matches("go to").count();
    // The kit closes its rooms twice over.
    assert_eq!(sent(&mut meeting, 2, "room", &["gus"]), Ok(()));
    assert_eq!(sent(&mut meeting, 2, "another", &["gus"]), Err(Refusal::OnTheWay));
    assert_eq!(said(&meeting), 1);
    assert_eq!(sent(&mut meeting, 2, "another", &["gus", "nora"]), Ok(()), "who can go goes");
    assert_eq!(said(&meeting), 2);
    assert_eq!(sent(&mut meeting, 2, "another", &["nobody"]), Err(Refusal::UnknownPeer));
    sent(&mut meeting, 20, "another", &["gus"]).unwrap();
    assert_eq!(said(&meeting), 3, "a client that stayed is told again");
}

#[test]
fn who_is_elsewhere_is_told_to_those_who_may_go_there() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "gus", &with(false, true, false));
    meeting.enters(0, "nora", &guest());
    meeting.enters(0, "hidden", &preset(|preset| preset.hidden = true));
    assert_eq!(meeting.session.people().len(), 2, "hidden people are not told of");
    let mut away = meeting.session.people();
    away.truncate(1);
    away[0].name = "ada".to_string();
    let view = ConnectedView {
        parent: RoomView { id: here(), title: "Planning".to_string(), people: meeting.session.people() },
        meetings: vec![RoomView { id: room("room"), title: "Room 1".to_string(), people: away }],
    };
    meeting.does(1, "all are told", |session, _| session.tell_connected(&Arc::new(view)));
    assert!(meeting.text().contains("to gus: meetings: Planning [gus nora], Room 1 [ada]"), "{}", meeting.text());
    assert!(meeting.text().contains("to hidden, nora: meetings: Planning [gus nora], Room 1 []"), "{}", meeting.text());
}

#[test]
fn asking_for_the_rooms_has_a_limit() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "gus", &with(false, true, false));
    let mut ask = |second| meeting.act(second, "gus asks", |session, now| session.list_connected(now, &id("gus")));
    for _ in 0..CONNECTED_LISTS_PER_MINUTE {
        assert_eq!(ask(1), Ok(true));
    }
    assert_eq!(ask(2), Err(Refusal::TooOften));
    assert_eq!(ask(61), Ok(true));
}

#[test]
fn a_message_goes_where_its_sender_may_go() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hanna", &with(true, false, false));
    meeting.enters(0, "gus", &with(false, true, false));
    meeting.enters(0, "nora", &guest());
    let hello = Broadcast { kind: "hello".to_string(), payload: Vec::new(), timestamp: 0, ids: Vec::new() };
    let mut says = |second: i64, who: &str, to: &[(&str, bool)]| {
        let to: Vec<_> = to.iter().map(|(name, parent)| (room(name), *parent)).collect();
        meeting.act(second, &format!("{who} says hello"), |session, now| session.may_broadcast_to(now, &id(who), &to, &hello))
    };
    assert_eq!(says(1, "hanna", &[("room", false), ("parent", true)]), Ok(()));
    assert_eq!(says(1, "gus", &[("room", false)]), Ok(()));
    assert_eq!(says(1, "gus", &[("room", false), ("parent", true)]), Err(Refusal::NotAllowed));
    assert_eq!(says(1, "nora", &[("room", false)]), Err(Refusal::NotAllowed));
    assert_eq!(says(1, "nora", &[("meeting", true)]), Ok(()), "here");
    for _ in 1..5 {
        assert_eq!(says(1, "hanna", &[("room", false)]), Ok(()));
    }
    assert_eq!(says(1, "hanna", &[("room", false)]), Err(Refusal::TooOften));
}

#[test]
fn somebody_who_was_moved_here_need_not_wait() {
    let mut meeting = Minutes::new();
    let mut gus = join("gus", &waits(Entry::OnAccept), "s1");
    gus.let_in = Some(super::minutes::at(0));
    meeting.joins_with(0, "gus comes from another room", gus).unwrap();
    meeting.leaves(1, "gus");
    meeting.joins(2, "gus-2", &waits(Entry::OnAccept));
    meeting.joins(3, "nora", &waits(Entry::OnAccept));
    assert!(!meeting.text().contains("gus-2 joins and has to wait"), "{}", meeting.text());
    assert!(meeting.text().contains("nora joins and has to wait"), "{}", meeting.text());
}

#[test]
fn a_session_whose_people_are_in_other_rooms_goes_on() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "gus", &guest());
    meeting.does(10, "somebody is in a room", |session, now| session.hold_open(now, true));
    meeting.leaves(11, "gus");
    meeting.time_passes(3_000);
    assert!(meeting.session.summary().is_some(), "an hour in other rooms");
    meeting.dies(3_000, 3_010);
    assert!(meeting.session.summary().is_some(), "that is remembered");
    meeting.does(3_100, "nobody is in a room", |session, now| session.hold_open(now, false));
    meeting.time_passes(3_159);
    assert!(meeting.session.summary().is_some(), "the keep-alive begins now");
    meeting.time_passes(3_160);
    assert_eq!(meeting.session.record().unwrap().ended.unwrap().at, at(3_160));
}

#[test]
fn a_deleted_meeting_ends_when_the_last_has_followed_or_is_put_out() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "gus", &guest());
    meeting.enters(0, "nora", &guest());
    meeting.does(10, "the meeting is deleted", |session, now| session.close_deleted(now));
    meeting.leaves(11, "gus");
    assert!(meeting.session.summary().is_some());
    meeting.time_passes(40);
    assert!(meeting.text().contains("to nora: Ended"), "{}", meeting.text());
    assert_eq!(meeting.session.record().unwrap().ended.unwrap().at, at(40));

    let mut meeting = Minutes::new();
    meeting.enters(0, "gus", &guest());
    meeting.does(10, "the meeting is deleted", |session, now| session.close_deleted(now));
    meeting.leaves(12, "gus");
    meeting.time_passes(12);
    assert_eq!(meeting.session.record().unwrap().ended.unwrap().at, at(12), "nobody is waited for");
}

#[test]
fn so_many_meetings_are_made_or_changed_at_once_with_titles_so_long() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hanna", &with(true, false, false));
    let mut makes = |second, titles: &[String]| {
        meeting.act(second, "hanna makes rooms", |session, now| session.may_create_connected(now, &id("hanna"), titles))
    };
    let title = |chars| "ü".repeat(chars);
    assert_eq!(makes(1, &vec![title(MAX_CONNECTED_TITLE_CHARS); MAX_CONNECTED_MEETINGS]), Ok(()));
    assert_eq!(makes(2, &vec![title(1); MAX_CONNECTED_MEETINGS + 1]), Err(Refusal::TooLarge));
    assert_eq!(makes(3, &[title(MAX_CONNECTED_TITLE_CHARS + 1)]), Err(Refusal::TooLarge));
}

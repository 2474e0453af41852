//! Talk in writing: who reads what, who may change what, and how much of it there may be.

use super::minutes::{Minutes, guest, host, id, participant, preset, waits};
use crate::event::{ChatContent, ChatKind};
use crate::ids::ChatId;
use crate::limits::{
    CHAT_FILES_PER_MINUTE, CHAT_HISTORY, CHAT_HISTORY_BYTES, CHAT_TEXTS_PER_MINUTE, MAX_CHAT_ADDRESSEES, MAX_CHAT_BYTES,
    MAX_CHAT_PAYLOAD_BYTES, MAX_CHAT_TEXT_CHARS,
};
use crate::preset::{Entry, Preset};
use crate::session::{ChatOnly, ChatPage, ChatTo, Refusal};
use crate::time::Timestamp;

fn message(name: &str) -> ChatId {
    ChatId::parse(name).unwrap()
}

fn content(kind: ChatKind, payload: &str) -> ChatContent {
    ChatContent { kind, payload: payload.to_string() }
}

fn text(payload: &str) -> ChatContent {
    content(ChatKind::Text, payload)
}

/// A guest who may write to some people only.
fn talker() -> Preset {
    preset(|preset| {
        preset.private_chat.can_send = true;
        preset.private_chat.can_receive = true;
        preset.private_chat.text = true;
        preset.private_chat.files = true;
    })
}

fn to(peers: &[&str]) -> ChatTo {
    if peers.is_empty() { ChatTo::Everyone } else { ChatTo::Peers(peers.iter().map(|peer| id(peer)).collect()) }
}

fn says(meeting: &mut Minutes, second: i64, peer: &str, name: &str, peers: &[&str], what: ChatContent) -> Result<(), Refusal> {
    let line = format!("{peer} writes {name}");
    meeting.act(second, &line, |session, now| session.say(now, &id(peer), message(name), to(peers), what))
}

/// What somebody reads, oldest first.
fn history(meeting: &Minutes, peer: &str) -> Vec<String> {
    let messages = meeting.session.chat_history(&id(peer)).unwrap();
    messages.iter().map(|message| message.content.payload.clone()).collect()
}

fn page(meeting: &Minutes, peer: &str, page: &ChatPage) -> (Vec<String>, bool) {
    let (messages, more) = meeting.session.chat_page(&id(peer), page).unwrap();
    (messages.iter().map(|message| message.content.payload.clone()).collect(), more)
}

fn all(only: ChatOnly) -> ChatPage {
    ChatPage { only, from: Timestamp(0), backwards: false, skip: 0, size: 100 }
}

#[test]
fn the_minutes_of_a_conversation() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &talker());
    meeting.joins(0, "bo", &talker());
    meeting.joins(0, "cy", &talker());
    says(&mut meeting, 1, "al", "m1", &[], text("hello")).unwrap();
    says(&mut meeting, 2, "bo", "m2", &["al", "bo"], text("psst")).unwrap();
    meeting
        .act(3, "al edits m1", |session, now| session.edit_message(now, &id("al"), &message("m1"), text("hello all")))
        .unwrap();
    meeting.act(4, "al pins m1", |session, now| session.pin_message(now, &id("al"), &message("m1"), true)).unwrap();
    meeting.act(5, "bo deletes m2", |session, now| session.delete_message(now, &id("bo"), &message("m2"))).unwrap();
    let minutes = meeting.text();
    let told: Vec<&str> = minutes.lines().filter(|line| line.contains("to ") && !line.contains("is here")).collect();
    assert_eq!(
        told,
        [
            "     to al, bo, cy: al says 'hello'",
            "     to al, bo: bo says 'psst' (to bo, al)",
            "     to bo, cy: al says 'hello all' instead",
            "     to bo, cy: 'hello all' is pinned",
            "     to al: m2 is deleted",
        ],
        "{minutes}"
    );
    assert_eq!(history(&meeting, "al"), ["hello all"]);
}

#[test]
fn a_third_party_never_meets_a_private_message() {
    let mut meeting = Minutes::new();
    for peer in ["al", "bo", "bo-2"] {
        meeting.joins(0, peer, &talker());
    }
    meeting.joins(0, "cy", &Preset { pin_participant: true, private_chat: talker().private_chat, ..host() });
    says(&mut meeting, 1, "al", "m1", &["bo"], text("secret plan")).unwrap();
    assert!(meeting.text().contains("to al, bo, bo-2: al says"), "the sender and all of the other's devices: {}", meeting.text());
    for only in [
        ChatOnly::Public,
        ChatOnly::Pinned,
        ChatOnly::With(participant("al")),
        ChatOnly::With(participant("bo")),
        ChatOnly::Containing("secret".to_string()),
        ChatOnly::Containing(String::new()),
    ] {
        assert_eq!(page(&meeting, "cy", &all(only)), (vec![], false));
    }
    assert!(history(&meeting, "cy").is_empty());
    for peer in ["al", "bo", "bo-2"] {
        let other = if peer == "al" { "bo" } else { "al" };
        assert_eq!(history(&meeting, peer), ["secret plan"]);
        assert_eq!(page(&meeting, peer, &all(ChatOnly::With(participant(other)))).0, ["secret plan"]);
        assert_eq!(page(&meeting, peer, &all(ChatOnly::Containing("SECRET".to_string()))).0, ["secret plan"]);
        assert!(page(&meeting, peer, &all(ChatOnly::Public)).0.is_empty());
    }
    // To the third it does not exist, whatever the third may do to others.
    let (cy, m1) = (id("cy"), message("m1"));
    let unknown = Err(Refusal::UnknownMessage);
    let edits = meeting.act(2, "cy edits", |session, now| session.edit_message(now, &cy, &m1, text("x")).map(drop));
    let deletes = meeting.act(2, "cy deletes", |session, now| session.delete_message(now, &cy, &m1));
    let pins = meeting.act(2, "cy pins", |session, now| session.pin_message(now, &cy, &m1, true).map(drop));
    assert_eq!((edits, deletes, pins), (unknown, unknown, unknown));
    // Nor is a private message anybody's to take back but its author's.
    let bo = meeting.act(3, "bo deletes", |session, now| session.delete_message(now, &id("bo"), &m1));
    assert_eq!(bo, Err(Refusal::NotAllowed));
}

#[test]
fn each_permission_is_asked() {
    type Case<'a> = (&'a str, &'a [&'a str], fn(&mut Preset), &'a [ChatKind]);

    let all = [ChatKind::Text, ChatKind::Image, ChatKind::File, ChatKind::Custom];
    let cases: [Case; 6] = [
        ("public can_send", &[], |preset| preset.public_chat.can_send = false, &all),
        ("public text", &[], |preset| preset.public_chat.text = false, &[ChatKind::Text, ChatKind::Custom]),
        ("public files", &[], |preset| preset.public_chat.files = false, &[ChatKind::Image, ChatKind::File, ChatKind::Custom]),
        ("private can_send", &["bo"], |preset| preset.private_chat.can_send = false, &all),
        ("private text", &["bo"], |preset| preset.private_chat.text = false, &[ChatKind::Text, ChatKind::Custom]),
        (
            "private files",
            &["bo"],
            |preset| preset.private_chat.files = false,
            &[ChatKind::Image, ChatKind::File, ChatKind::Custom],
        ),
    ];
    for (what, peers, deny, denied) in cases {
        let mut limited = talker();
        deny(&mut limited);
        let mut meeting = Minutes::new();
        meeting.joins(0, "al", &limited);
        meeting.joins(0, "bo", &talker());
        for kind in all {
            let expected = if denied.contains(&kind) { Err(Refusal::NotAllowed) } else { Ok(()) };
            let name = format!("m-{kind:?}");
            assert_eq!(says(&mut meeting, 1, "al", &name, peers, content(kind, "x")), expected, "{what} {kind:?}");
        }
    }
}

#[test]
fn only_those_are_written_to_who_may_be() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &talker());
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "spy", &preset(|preset| preset.hidden = true));
    meeting.joins(0, "wu", &waits(Entry::OnAccept));
    assert_eq!(says(&mut meeting, 1, "al", "m1", &["bo"], text("x")), Err(Refusal::NotAllowed));
    for nobody in ["spy", "wu", "nobody", "al"] {
        assert_eq!(says(&mut meeting, 1, "al", "m2", &[nobody], text("x")), Err(Refusal::UnknownPeer), "{nobody}");
    }
    assert_eq!(says(&mut meeting, 1, "spy", "m3", &[], text("x")), Err(Refusal::NotAllowed), "the hidden have no voice");
    assert_eq!(says(&mut meeting, 1, "wu", "m4", &[], text("x")), Err(Refusal::NotJoined));
    assert_eq!(meeting.session.chat_history(&id("wu")), Err(Refusal::NotJoined));
    says(&mut meeting, 1, "al", "m5", &[], text("to all")).unwrap();
    assert_eq!(history(&meeting, "spy"), ["to all"], "but they hear");
}

#[test]
fn others_words_are_theirs() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &guest());
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "host", &Preset { pin_participant: true, ..host() });
    says(&mut meeting, 1, "al", "m1", &[], text("mine")).unwrap();
    for peer in ["bo", "host"] {
        let edits =
            meeting.act(2, "edits", |session, now| session.edit_message(now, &id(peer), &message("m1"), text("x")).map(drop));
        assert_eq!(edits, Err(Refusal::NotAllowed), "{peer}");
    }
    let m1 = message("m1");
    let pins = meeting.act(2, "bo pins", |session, now| session.pin_message(now, &id("bo"), &m1, true).map(drop));
    let deletes = meeting.act(2, "bo deletes", |session, now| session.delete_message(now, &id("bo"), &m1));
    assert_eq!((pins, deletes), (Err(Refusal::NotAllowed), Err(Refusal::NotAllowed)));
    meeting.act(3, "host pins", |session, now| session.pin_message(now, &id("host"), &m1, true)).unwrap();
    assert_eq!(page(&meeting, "bo", &all(ChatOnly::Pinned)).0, ["mine"]);
    meeting.act(4, "host deletes", |session, now| session.delete_message(now, &id("host"), &m1)).unwrap();
    let again = meeting.act(5, "host deletes", |session, now| session.delete_message(now, &id("host"), &m1));
    assert_eq!(again, Err(Refusal::UnknownMessage));
    assert!(history(&meeting, "al").is_empty());
}

#[test]
fn pages_go_both_ways_and_lose_nothing() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &guest());
    for n in 1..=7 {
        // In the same millisecond.
        says(&mut meeting, 1, "al", &format!("m{n}"), &[], text(&format!("{n}"))).unwrap();
    }
    let mut on = all(ChatOnly::Public);
    on.size = 3;
    let mut back = ChatPage { from: Timestamp(i64::MAX), backwards: true, ..on.clone() };
    let (mut rising, mut falling) = (Vec::new(), Vec::new());
    for (walk, seen, step) in [(&mut on, &mut rising, 1), (&mut back, &mut falling, -1)] {
        loop {
            let (messages, more) = meeting.session.chat_page(&id("al"), walk).unwrap();
            seen.extend(messages.iter().map(|message| message.content.payload.clone()));
            walk.from = messages.last().unwrap().at.plus_ms(step);
            if !more {
                break;
            }
        }
    }
    assert_eq!(rising, ["1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(falling, ["7", "6", "5", "4", "3", "2", "1"]);
}

#[test]
fn there_are_limits() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &guest());
    let longest = "ä".repeat(MAX_CHAT_TEXT_CHARS);
    says(&mut meeting, 1, "al", "long", &[], text(&longest)).unwrap();
    assert_eq!(says(&mut meeting, 1, "al", "longer", &[], text(&format!("{longest}!"))), Err(Refusal::TooLarge));
    let json = "x".repeat(MAX_CHAT_PAYLOAD_BYTES + 1);
    assert_eq!(says(&mut meeting, 1, "al", "file", &[], content(ChatKind::File, &json)), Err(Refusal::TooLarge));
    for n in 1..CHAT_TEXTS_PER_MINUTE {
        says(&mut meeting, 2, "al", &format!("t{n}"), &[], text("x")).unwrap();
    }
    assert_eq!(says(&mut meeting, 3, "al", "t", &[], text("x")), Err(Refusal::TooOften));
    for n in 0..CHAT_FILES_PER_MINUTE {
        says(&mut meeting, 3, "al", &format!("f{n}"), &[], content(ChatKind::Image, "x")).unwrap();
    }
    assert_eq!(says(&mut meeting, 3, "al", "f", &[], content(ChatKind::File, "x")), Err(Refusal::TooOften));
    meeting.joins(4, "al-2", &guest());
    assert_eq!(says(&mut meeting, 4, "al-2", "t", &[], text("x")), Err(Refusal::TooOften), "it is the person that is counted");
    says(&mut meeting, 63, "al", "t", &[], text("x")).unwrap();
}

#[test]
fn what_was_said_outlives_the_server_and_belongs_to_its_session() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &talker());
    meeting.joins(0, "bo", &talker());
    says(&mut meeting, 1, "al", "m1", &[], text("hello")).unwrap();
    says(&mut meeting, 2, "al", "m2", &["bo"], text("psst")).unwrap();
    // Somebody whose line is broken is written to all the same.
    meeting.drops(3, "bo");
    says(&mut meeting, 4, "al", "m3", &["bo"], text("are you there")).unwrap();
    meeting.dies(5, 6);
    meeting.joins(7, "bo", &talker());
    assert_eq!(history(&meeting, "bo"), ["hello", "psst", "are you there"]);
    let edited = meeting.act(8, "bo edits", |session, now| session.edit_message(now, &id("bo"), &message("m1"), text("x")));
    assert_eq!(edited, Err(Refusal::NotAllowed));
    meeting.leaves(9, "bo");
    meeting.time_passes(200);
    meeting.joins(201, "al", &talker());
    assert!(history(&meeting, "al").is_empty());
}

/// So many of the longest messages, numbered from 0.
fn fills(meeting: &mut Minutes, count: usize) {
    for n in 0..count {
        meeting.says_much("al", &format!("m{n}"));
    }
}

#[test]
fn an_answer_holds_as_many_bytes_as_it_may_and_says_whether_there_is_more() {
    let fit = CHAT_HISTORY_BYTES / MAX_CHAT_PAYLOAD_BYTES;
    for (said, whole) in [(fit - 1, true), (fit, true), (fit + 1, false)] {
        let mut meeting = Minutes::new();
        meeting.joins(0, "al", &talker());
        fills(&mut meeting, said);
        let (messages, more) =
            meeting.session.chat_page(&id("al"), &ChatPage { size: CHAT_HISTORY, ..all(ChatOnly::Public) }).unwrap();
        assert_eq!((messages.len(), more), (said.min(fit), !whole));
        let history = meeting.session.chat_history(&id("al")).unwrap();
        assert_eq!((history.len(), history.last().unwrap().id.clone()), (said.min(fit), message(&format!("m{}", said - 1))));
    }
}

#[test]
fn a_session_holds_so_many_bytes_of_chat() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &talker());
    fills(&mut meeting, MAX_CHAT_BYTES / MAX_CHAT_PAYLOAD_BYTES);
    let session = &mut meeting.session;
    let now = session.record().unwrap().updated_at.plus_ms(60_000);
    assert_eq!(session.say(now, &id("al"), message("more"), to(&[]), text("x")), Err(Refusal::Full));
    assert_eq!(session.pin_message(now, &id("al"), &message("m0"), true).map(drop), Ok(()), "a pin takes no bytes");
}

#[test]
fn what_was_said_to_one_is_not_in_what_was_said_to_another() {
    let mut meeting = Minutes::new();
    for peer in ["al", "bo", "cy"] {
        meeting.joins(0, peer, &talker());
    }
    says(&mut meeting, 1, "al", "m1", &["bo"], text("to bo")).unwrap();
    says(&mut meeting, 2, "al", "m2", &["cy"], text("to cy")).unwrap();
    for other in ["bo", "cy"] {
        assert_eq!(page(&meeting, "al", &all(ChatOnly::With(participant(other)))).0, [format!("to {other}")]);
    }
}

#[test]
fn so_many_are_written_to_at_once() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &talker());
    meeting.joins(0, "bo", &talker());
    let mut writes = |name: &str, count| says(&mut meeting, 1, "al", name, &vec!["bo"; count], text("hello"));
    assert_eq!(writes("m1", MAX_CHAT_ADDRESSEES + 1), Err(Refusal::TooLarge));
    assert_eq!(writes("m2", MAX_CHAT_ADDRESSEES), Ok(()));
}

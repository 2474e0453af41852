//! A meeting that keeps its chat: what the next session begins with, for whom, and whose it still is.

use super::minutes::{Minutes, facts, host, id, participant, preset};
use crate::event::{ChatContent, ChatKind};
use crate::ids::ChatId;
use crate::limits::{CHAT_HISTORY, CHAT_HISTORY_BYTES, MAX_CHAT_PAYLOAD_BYTES};
use crate::preset::Preset;
use crate::session::{ChatOnly, ChatPage, ChatTo, EarlierChat, Entered, MeetingFacts, Refusal};
use crate::time::Timestamp;

fn talker() -> Preset {
    preset(|preset| {
        preset.private_chat.can_send = true;
        preset.private_chat.can_receive = true;
        preset.private_chat.text = true;
    })
}

/// A meeting that keeps its chat, before anybody came.
fn keeps() -> Minutes {
    let mut meeting = Minutes::new();
    meeting.session.set_facts(MeetingFacts { persist_chat: true, ..facts() });
    meeting
}

fn text(payload: &str) -> ChatContent {
    ChatContent { kind: ChatKind::Text, payload: payload.to_string() }
}

fn message(name: &str) -> ChatId {
    ChatId::parse(name).unwrap()
}

fn says(meeting: &mut Minutes, second: i64, peer: &str, name: &str, to: &[&str]) {
    let to = if to.is_empty() { ChatTo::Everyone } else { ChatTo::Peers(to.iter().map(|peer| id(peer)).collect()) };
    meeting.act(second, "writes", |session, now| session.say(now, &id(peer), message(name), to, text(name))).unwrap();
}

/// The first of a session: what the last one left is looked up on the way.
fn opens(meeting: &mut Minutes, second: i64, peer: &str, preset: &Preset) {
    assert_eq!(meeting.tries_to_join(second, peer, preset), Ok(Entered::NeedsEarlierChat));
    let earlier = meeting.session.record().map(EarlierChat::of).unwrap_or_default();
    meeting.session.bring_earlier_chat(earlier);
    assert!(matches!(meeting.tries_to_join(second, peer, preset), Ok(Entered::Joined(_))));
}

fn history(meeting: &Minutes, peer: &str) -> Vec<String> {
    let messages = meeting.session.chat_history(&id(peer)).unwrap();
    messages.iter().map(|message| message.content.payload.clone()).collect()
}

fn page(meeting: &Minutes, peer: &str, only: ChatOnly) -> Vec<String> {
    let page = ChatPage { only, from: Timestamp(0), backwards: false, skip: 0, size: 100 };
    let (messages, _) = meeting.session.chat_page(&id(peer), &page).unwrap();
    messages.iter().map(|message| message.content.payload.clone()).collect()
}

#[test]
fn the_next_session_goes_on_with_the_chat_of_the_last() {
    let mut meeting = keeps();
    opens(&mut meeting, 0, "al", &talker());
    meeting.joins(0, "bo", &talker());
    says(&mut meeting, 1, "al", "hello", &[]);
    says(&mut meeting, 2, "bo", "psst", &["al"]);
    says(&mut meeting, 3, "al", "wrong", &[]);
    meeting.act(4, "deletes", |session, now| session.delete_message(now, &id("al"), &message("wrong"))).unwrap();
    meeting.act(4, "pins", |session, now| session.pin_message(now, &id("al"), &message("hello"), true)).unwrap();
    let said_at = meeting.session.chat_history(&id("al")).unwrap()[0].at;
    let first = meeting.session.record().unwrap().started.session.clone();
    meeting.leaves(5, "al");
    meeting.leaves(5, "bo");
    meeting.time_passes(200);

    opens(&mut meeting, 300, "cy", &Preset { pin_participant: true, private_chat: talker().private_chat, ..host() });
    meeting.joins(300, "al-2", &talker());
    assert_eq!(history(&meeting, "cy"), ["hello"], "what was private stays so, what was deleted is gone");
    assert!(page(&meeting, "cy", ChatOnly::Containing("psst".to_string())).is_empty());
    assert_eq!(history(&meeting, "al-2"), ["hello", "psst"]);
    assert_eq!(page(&meeting, "al-2", ChatOnly::With(participant("bo"))), ["psst"]);
    assert_eq!(page(&meeting, "cy", ChatOnly::Pinned), ["hello"]);
    let hello = meeting.session.chat_history(&id("cy")).unwrap()[0].clone();
    assert_eq!((hello.at, hello.said_in.as_ref()), (said_at, Some(&first)));

    // It is still its author's, on whatever device.
    let cy = meeting.act(301, "cy edits", |session, now| session.edit_message(now, &id("cy"), &hello.id, text("x")).map(drop));
    assert_eq!(cy, Err(Refusal::NotAllowed));
    meeting.act(302, "al edits", |session, now| session.edit_message(now, &id("al-2"), &hello.id, text("hi"))).unwrap();
    meeting.act(303, "cy unpins", |session, now| session.pin_message(now, &id("cy"), &hello.id, false)).unwrap();
    let psst = meeting.act(304, "cy deletes", |session, now| session.delete_message(now, &id("cy"), &message("psst")));
    assert_eq!(psst, Err(Refusal::UnknownMessage));
    says(&mut meeting, 305, "cy", "new", &[]);
    meeting.dies(306, 307);
    meeting.joins(308, "cy", &host());
    assert_eq!(history(&meeting, "cy"), ["hi", "new"], "the record of the session alone says so");

    // And on to a third.
    meeting.leaves(309, "cy");
    meeting.time_passes(500);
    meeting.session.set_facts(MeetingFacts { persist_chat: true, ..facts() });
    opens(&mut meeting, 600, "cy", &host());
    assert_eq!(history(&meeting, "cy"), ["hi", "new"]);
    let told: Vec<_> = meeting.session.chat_history(&id("cy")).unwrap().iter().map(|it| it.said_in.clone()).collect();
    assert_eq!(told[0].as_ref(), Some(&first), "where it was said first");
    assert_ne!(told[1], told[0]);
}

#[test]
fn a_meeting_that_does_not_keep_its_chat_begins_without() {
    let mut meeting = keeps();
    opens(&mut meeting, 0, "al", &talker());
    says(&mut meeting, 1, "al", "hello", &[]);
    meeting.leaves(2, "al");
    meeting.time_passes(100);
    meeting.session.set_facts(facts());
    meeting.joins(200, "al", &talker());
    assert!(history(&meeting, "al").is_empty());
}

#[test]
fn what_was_looked_up_before_another_session_is_not_believed() {
    let mut meeting = keeps();
    let nothing = EarlierChat::default();
    opens(&mut meeting, 0, "al", &talker());
    says(&mut meeting, 1, "al", "hello", &[]);
    meeting.leaves(2, "al");
    meeting.time_passes(100);
    // Looked up before the first session, brought after it.
    meeting.session.bring_earlier_chat(nothing);
    opens(&mut meeting, 200, "al", &talker());
    assert_eq!(history(&meeting, "al"), ["hello"]);
}

#[test]
fn those_who_wait_do_not_make_anybody_look() {
    let mut meeting = keeps();
    let waits = super::minutes::waits(crate::preset::Entry::OnAccept);
    assert!(matches!(meeting.tries_to_join(0, "wu", &waits), Ok(Entered::Waiting(_))));
    opens(&mut meeting, 1, "al", &host());
}

#[test]
fn as_much_is_kept_as_one_answer_holds() {
    let mut meeting = keeps();
    opens(&mut meeting, 0, "al", &talker());
    for n in 0..CHAT_HISTORY + 5 {
        says(&mut meeting, n as i64, "al", &format!("m{n}"), &[]);
    }
    meeting.leaves(2_000, "al");
    meeting.time_passes(3_000);
    opens(&mut meeting, 4_000, "al", &talker());
    let history = history(&meeting, "al");
    assert_eq!((history.len(), history[0].as_str()), (CHAT_HISTORY, "m5"));
}

#[test]
fn no_more_bytes_are_kept_than_one_answer_holds() {
    let mut meeting = keeps();
    opens(&mut meeting, 0, "al", &talker());
    let fit = CHAT_HISTORY_BYTES / MAX_CHAT_PAYLOAD_BYTES;
    let mut kept = Vec::new();
    for n in 0..=fit {
        meeting.says_much("al", &format!("m{n}"));
        kept.push(EarlierChat::of(meeting.session.record().unwrap()).messages.len());
    }
    assert_eq!(kept[fit - 2..], [fit - 1, fit, fit]);
}

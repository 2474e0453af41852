//! The waiting room: knocking, being let in, being turned away.

use insta::assert_snapshot;

use super::minutes::{Minutes, at, guest, host, id, join, participant, waits};
use crate::event::Actor;
use crate::preset::Entry;
use crate::session::Entered;

#[test]
fn a_host_lets_one_in_and_turns_one_away() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    let knocks = waits(Entry::OnAccept);
    meeting.joins(10, "cy", &knocks);
    meeting.joins(11, "dee", &knocks);
    meeting.joins(12, "cy", &knocks);
    let _ = meeting.act(20, "hana admits cy", |session, now| session.admit(now, &id("hana"), &[participant("cy")]));
    let _ = meeting
        .act(20, "hana denies both", |session, now| session.deny(now, &id("hana"), &[participant("cy"), participant("dee")]));
    meeting.joins(21, "cy", &knocks);
    meeting.leaves(30, "cy");
    // Admitted for the rest of the session, on any device.
    meeting.joins(40, "cy-2", &knocks);
    assert_snapshot!(meeting.text(), @"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:10 cy joins and has to wait
         to hana: [cy] wait
         = s1: 2 live, 2 at most, 0.33 min
    0:11 dee joins and has to wait
         to hana: [cy, dee] wait
         = s1: 2 live, 2 at most, 0.37 min
    0:12 cy joins and has to wait
         = s1: 2 live, 2 at most, 0.40 min
    0:20 hana admits cy
         to cy: Admitted
         = s1: 2 live, 2 at most, 0.67 min
    0:20 hana denies both
         to dee: Denied
         to hana: [cy] wait
         = s1: 2 live, 2 at most, 0.67 min
    0:21 cy joins
         to bo, hana: cy is here
         to hana: [] wait
         = s1: 3 live, 3 at most, 0.70 min
    0:30 cy leaves
         media: close connections of cy
         to bo, hana: cy is gone
         = s1: 2 live, 3 at most, 1.15 min
    0:40 cy-2 joins
         to bo, hana: cy-2 is here
         = s1: 3 live, 3 at most, 1.48 min
    ");
}

#[test]
fn those_who_wait_for_a_host_come_in_when_one_arrives_or_returns() {
    let mut meeting = Minutes::new();
    let knocks = waits(Entry::OnPrivilegedEntry);
    meeting.joins(0, "bo", &knocks);
    meeting.joins(10, "hana", &host());
    meeting.joins(10, "bo", &knocks);
    meeting.drops(20, "hana");
    meeting.joins(22, "cy", &knocks);
    meeting.joins(25, "hana", &host());
    meeting.joins(25, "cy", &knocks);
    assert_snapshot!(meeting.text(), @"
    0:00 bo joins and has to wait
         = no session
    0:10 hana joins
         to bo: Admitted
         to hana: [bo] wait
         = s1: 1 live, 1 at most, 0.00 min
    0:10 bo joins
         to hana: bo is here
         to hana: [] wait
         = s1: 2 live, 2 at most, 0.00 min
    0:20 hana's socket breaks
         = s1: 1 live, 2 at most, 0.33 min
    0:22 cy joins and has to wait
         = s1: 1 live, 2 at most, 0.37 min
    0:25 hana joins
         to cy: Admitted
         to hana: [cy] wait
         = s1: 2 live, 2 at most, 0.50 min
    0:25 cy joins
         to bo, hana: cy is here
         to hana: [] wait
         = s1: 3 live, 3 at most, 0.50 min
    ");
}

#[test]
fn a_host_does_not_wait_for_itself() {
    let mut meeting = Minutes::new();
    let mut waiting_host = host();
    waiting_host.entry = Entry::OnPrivilegedEntry;
    meeting.joins(0, "hana", &waiting_host);
    assert_snapshot!(meeting.text(), @"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    ");
}

#[test]
fn being_let_in_lasts_until_the_session_ends() {
    let mut meeting = Minutes::new();
    let knocks = waits(Entry::OnAccept);
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &knocks);
    let _ = meeting.act(1, "hana admits bo", |session, now| session.admit(now, &id("hana"), &[participant("bo")]));
    meeting.joins(2, "bo", &knocks);
    let _ = meeting.act(3, "the API ends it", |session, now| session.kick_all(now, &Actor::Api));
    meeting.joins(4, "bo", &knocks);
    assert_snapshot!(meeting.text(), @"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins and has to wait
         to hana: [bo] wait
         = s1: 1 live, 1 at most, 0.00 min
    0:01 hana admits bo
         to bo: Admitted
         = s1: 1 live, 1 at most, 0.02 min
    0:02 bo joins
         to hana: bo is here
         to hana: [] wait
         = s1: 2 live, 2 at most, 0.03 min
    0:03 the API ends it
         media: close connections of hana
         media: close connections of bo
         to hana: Ended
         hang up on hana
         to bo: Ended
         hang up on bo
         = no session
    0:04 bo joins and has to wait
         = no session
    ");
}

/// Lets `bo` in through the waiting room.
fn with_bo_let_in() -> Minutes {
    let mut meeting = Minutes::new();
    let knocks = waits(Entry::OnAccept);
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &knocks);
    meeting.act(1, "hana admits bo", |session, now| session.admit(now, &id("hana"), &[participant("bo")])).unwrap();
    meeting.joins(2, "bo", &knocks);
    meeting
}

fn has_to_wait(meeting: &mut Minutes, second: i64, peer: &str, entry: Entry) -> bool {
    matches!(meeting.tries_to_join(second, peer, &waits(entry)), Ok(Entered::Waiting(_)))
}

#[test]
fn whoever_was_let_in_and_then_put_out_has_to_ask_again() {
    type Kick = fn(&mut Minutes);
    let by_a_host: Kick =
        |meeting| meeting.act(3, "hana kicks bo", |session, now| session.kick(now, &id("hana"), &[id("bo")])).unwrap();
    let by_the_api: Kick = |meeting| {
        meeting.does(3, "the API kicks bo", |session, now| session.kick_participants(now, &[participant("bo")]));
    };
    for kick in [by_a_host, by_the_api] {
        let mut meeting = with_bo_let_in();
        kick(&mut meeting);
        assert!(has_to_wait(&mut meeting, 4, "bo", Entry::OnAccept), "on the same device");
        assert!(has_to_wait(&mut meeting, 4, "bo-2", Entry::OnAccept), "and on another");
        meeting.act(5, "hana denies bo", |session, now| session.deny(now, &id("hana"), &[participant("bo")])).unwrap();
        assert!(meeting.text().contains("to bo, bo-2: Denied"), "a refusal reaches them: {}", meeting.text());
        assert!(has_to_wait(&mut meeting, 6, "bo", Entry::OnAccept));
        meeting.act(7, "hana admits bo", |session, now| session.admit(now, &id("hana"), &[participant("bo")])).unwrap();
        assert!(!has_to_wait(&mut meeting, 8, "bo", Entry::OnAccept), "let in anew");
        meeting.leaves(9, "bo");
        assert!(!has_to_wait(&mut meeting, 10, "bo", Entry::OnAccept), "for the rest of the session");
    }
}

#[test]
fn being_put_out_outlasts_a_crash() {
    let mut meeting = with_bo_let_in();
    meeting.act(3, "hana kicks bo", |session, now| session.kick(now, &id("hana"), &[id("bo")])).unwrap();
    meeting.dies(4, 6);
    meeting.joins(7, "hana", &host());
    assert!(has_to_wait(&mut meeting, 8, "bo", Entry::OnAccept));
}

/// Kicked between the host's word and their coming in on it.
#[test]
fn a_word_that_let_somebody_in_is_taken_back_though_they_still_wait() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &waits(Entry::OnAccept));
    meeting.act(1, "hana admits bo", |session, now| session.admit(now, &id("hana"), &[participant("bo")])).unwrap();
    meeting.act(1, "hana kicks bo", |session, now| session.kick(now, &id("hana"), &[id("bo")])).unwrap();
    assert!(has_to_wait(&mut meeting, 2, "bo", Entry::OnAccept));
}

#[test]
fn the_host_who_put_somebody_out_does_not_let_them_in_by_being_there() {
    let mut meeting = Minutes::new();
    let by_sight = Entry::OnPrivilegedEntry;
    meeting.joins(0, "hana", &host());
    assert!(!has_to_wait(&mut meeting, 1, "bo", by_sight));
    meeting.act(2, "hana kicks bo", |session, now| session.kick(now, &id("hana"), &[id("bo")])).unwrap();
    assert!(has_to_wait(&mut meeting, 3, "bo", by_sight));
    meeting.joins(4, "hana-2", &host());
    assert!(!meeting.text().contains("to bo: Admitted"), "another host's coming is no word for bo: {}", meeting.text());
    meeting.act(5, "hana admits bo", |session, now| session.admit(now, &id("hana"), &[participant("bo")])).unwrap();
    assert!(!has_to_wait(&mut meeting, 6, "bo", by_sight));
}

/// A token that lets in whoever was moved is good for minutes.
#[test]
fn an_older_ticket_does_not_bring_back_whoever_was_put_out() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    let with_ticket = |of: i64| {
        let mut join = join("bo", &waits(Entry::OnAccept), "s1");
        join.let_in = Some(at(of));
        join
    };
    let comes = |meeting: &mut Minutes, second, of| {
        matches!(meeting.joins_with(second, "bo comes with a ticket", with_ticket(of)), Ok(Entered::Joined(_)))
    };
    assert!(comes(&mut meeting, 2, 1));
    meeting.act(3, "hana kicks bo", |session, now| session.kick(now, &id("hana"), &[id("bo")])).unwrap();
    assert!(!comes(&mut meeting, 4, 1), "the ticket is from before");
    assert!(comes(&mut meeting, 6, 5), "moved here again");
}

//! Broken connections and dead servers: who counts through the gap, and who left when.

use insta::assert_snapshot;

use super::minutes::{Minutes, at, guest, host, id, join, participant};
use crate::preset::Preset;
use crate::session::{Refusal, Session};

#[test]
fn a_dropped_socket_that_returns_counts_through_its_gap() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    let _ = meeting.publishes(0, "ana", "mic");
    meeting.drops(60, "ana");
    meeting.time_passes(74);
    meeting.enters(74, "ana", &guest());
    let _ = meeting.publishes(74, "ana", "mic");
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
    0:00 ana publishes mic
         media: pass on ana-mic
         to bo: new ana-mic on
         = s1: 2 live, 2 at most, 0.00 min
    1:00 ana's socket breaks
         = s1: 1 live, 2 at most, 2.00 min
    1:14 time passes
         = s1: 1 live, 2 at most, 2.23 min
    1:14 ana joins
         media: close ana-mic
         to bo: no more ana-mic
         = s1: 2 live, 2 at most, 2.47 min
    1:14 ana has media and finds bo []
         to bo: ana has media
         = s1: 2 live, 2 at most, 2.47 min
    1:14 ana publishes mic
         media: pass on ana-mic
         to bo: new ana-mic on
         = s1: 2 live, 2 at most, 2.47 min
    ");
}

#[test]
fn a_dropped_socket_that_does_not_return_left_when_it_broke() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    let _ = meeting.publishes(0, "ana", "mic");
    meeting.drops(60, "ana");
    meeting.time_passes(75);
    // The same peer id comes in again as somebody new to the picture, with its earlier minutes.
    meeting.joins(80, "ana", &guest());
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
    0:00 ana publishes mic
         media: pass on ana-mic
         to bo: new ana-mic on
         = s1: 2 live, 2 at most, 0.00 min
    1:00 ana's socket breaks
         = s1: 1 live, 2 at most, 2.00 min
    1:15 time passes
         media: close ana-mic
         to bo: no more ana-mic
         media: close connections of ana
         to bo: ana has no media
         to bo: ana is gone
         = s1: 1 live, 2 at most, 2.25 min
    1:20 ana joins
         to bo: ana is here
         = s1: 2 live, 2 at most, 2.33 min
    ");
}

#[test]
fn a_timer_that_is_late_changes_nothing() {
    let run = |timer: bool| {
        let mut meeting = Minutes::new();
        meeting.joins(0, "ana", &guest());
        meeting.drops(10, "ana");
        if timer {
            meeting.time_passes(25);
            meeting.time_passes(70);
        }
        meeting.joins(500, "bo", &guest());
        meeting.session.record().cloned()
    };
    assert_eq!(run(true), run(false));
    // Even one second after the grace was over, an unwoken session takes the peer as new.
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.drops(10, "ana");
    meeting.joins(26, "ana", &guest());
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:10 ana's socket breaks
         = s1: 0 live, 1 at most, 0.17 min
    0:26 ana joins
         media: close connections of ana
         = s1: 1 live, 1 at most, 0.17 min
    ");
}

#[test]
fn leaving_while_the_socket_is_broken_counts_up_to_the_break() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.drops(60, "ana");
    meeting.leaves(70, "ana");
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    1:00 ana's socket breaks
         = s1: 0 live, 1 at most, 1.00 min
    1:10 ana leaves
         media: close connections of ana
         = s1: 0 live, 1 at most, 1.00 min
    ");
}

#[test]
fn a_second_socket_of_the_same_peer_takes_the_place_of_the_first() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    let _ = meeting.publishes(0, "ana", "cam");
    meeting.joins(60, "ana", &guest());
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
    0:00 ana publishes cam
         media: pass on ana-cam
         to bo: new ana-cam on
         = s1: 2 live, 2 at most, 0.00 min
    1:00 ana joins
         media: close ana-cam
         to bo: no more ana-cam
         = s1: 2 live, 2 at most, 2.00 min
    ");
}

#[test]
fn a_name_asked_for_on_returning_is_taken() {
    let mut meeting = Minutes::new();
    let named = |name: &str, preset: &Preset| {
        let mut join = join("ana", preset, "s1");
        join.wanted_name = Some(name.to_string());
        join
    };
    let _ = meeting.joins_with(0, "ana joins as Ana", named(" Ana ", &guest()));
    let _ = meeting.joins_with(1, "ana joins as Anna", named("Anna", &guest()));
    assert_eq!(meeting.session.peer(&id("ana"), &id("ana")).unwrap().name, "Anna");
    meeting.drops(2, "ana");
    meeting.joins(3, "ana", &guest());
    assert_eq!(meeting.session.peer(&id("ana"), &id("ana")).unwrap().name, "Anna", "no wish is no change");
}

#[test]
fn everyone_returns_after_a_kill() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    let _ = meeting.publishes(0, "ana", "mic");
    meeting.dies(60, 65);
    meeting.joins(66, "ana", &guest());
    meeting.joins(67, "bo", &guest());
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
    0:00 ana publishes mic
         media: pass on ana-mic
         to bo: new ana-mic on
         = s1: 2 live, 2 at most, 0.00 min
    1:05 the server is back, dead since 1:00
         media: close ana-mic
         = s1: 0 live, 2 at most, 2.00 min
    1:06 ana joins
         = s1: 1 live, 2 at most, 2.10 min
    1:07 bo joins
         = s1: 2 live, 2 at most, 2.23 min
    ");
}

#[test]
fn one_does_not_return_after_a_kill() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    meeting.dies(60, 65);
    meeting.joins(66, "ana", &guest());
    meeting.time_passes(80);
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to ana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    1:05 the server is back, dead since 1:00
         = s1: 0 live, 2 at most, 2.00 min
    1:06 ana joins
         = s1: 1 live, 2 at most, 2.10 min
    1:20 time passes
         media: close connections of bo
         to ana: bo is gone
         = s1: 1 live, 2 at most, 2.33 min
    ");
}

#[test]
fn nobody_returns_after_a_kill() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.dies(60, 65);
    meeting.time_passes(80);
    meeting.time_passes(119);
    meeting.time_passes(120);
    let ended = meeting.session.record().unwrap().ended.unwrap();
    assert_eq!(ended.at.since(meeting.session.record().unwrap().created_at), 120_000);
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    1:05 the server is back, dead since 1:00
         = s1: 0 live, 1 at most, 1.00 min
    1:20 time passes
         media: close connections of ana
         = s1: 0 live, 1 at most, 1.00 min
    1:59 time passes
         = s1: 0 live, 1 at most, 1.00 min
    2:00 time passes
         = no session
    ");
}

#[test]
fn after_an_outage_longer_than_the_keep_alive_the_session_is_over() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.dies(60, 600);
    let ended = meeting.session.record().unwrap().ended.unwrap();
    assert_eq!(ended.at.since(meeting.session.record().unwrap().created_at), 120_000);
    meeting.joins(601, "ana", &guest());
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    10:00 the server is back, dead since 1:00
         media: close connections of ana
         = no session
    10:01 ana joins
         = s2: 1 live, 1 at most, 0.00 min
    ");
}

#[test]
fn a_kill_during_the_keep_alive_does_not_prolong_it() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.leaves(30, "ana");
    meeting.dies(60, 65);
    meeting.time_passes(89);
    meeting.time_passes(90);
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:30 ana leaves
         media: close connections of ana
         = s1: 0 live, 1 at most, 0.50 min
    1:05 the server is back, dead since 1:00
         = s1: 0 live, 1 at most, 0.50 min
    1:29 time passes
         = s1: 0 live, 1 at most, 0.50 min
    1:30 time passes
         = no session
    ");
}

#[test]
fn a_server_that_dies_again_and_again_does_not_keep_ghosts() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    meeting.dies(10, 11);
    meeting.joins(12, "bo", &guest());
    for death in 2..8 {
        meeting.dies(death * 10, death * 10 + 1);
        meeting.joins(death * 10 + 2, "bo", &guest());
    }
    let record = meeting.session.record().unwrap();
    assert!(!record.peers[&id("ana")].is_present(), "not seen for more than the keep-alive time");
    assert!(record.peers[&id("bo")].is_connected());
}

#[test]
fn tracks_whose_media_outlive_the_server_stay_until_their_owner_is_given_up() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &host());
    meeting.enters(0, "bo", &guest());
    for what in ["mic", "cam"] {
        meeting.publishes(1, "bo", what).unwrap();
    }
    let flowing = [crate::ids::TrackId::parse("bo-mic").unwrap()];
    meeting.dies_but(10, 11, &flowing);
    let tracks =
        |meeting: &Minutes| meeting.session.record().unwrap().peers[&id("bo")].tracks.keys().cloned().collect::<Vec<_>>();
    assert_eq!(tracks(&meeting), flowing);
    let told = meeting.text();
    let since = &told[told.find("the server is back").unwrap()..];
    assert!(since.contains("media: close bo-cam") && !since.contains("close bo-mic"), "{since}");
    meeting.time_passes(100);
    assert!(meeting.text().contains("media: close connections of bo"), "who does not come back is taken down");
}

#[test]
fn a_kill_before_the_first_peer_was_remembered_leaves_a_session_that_ends() {
    let mut first = Session::new(super::minutes::facts(), crate::limits::Limits::default());
    first.join(crate::Timestamp(1_000), join("ana", &host(), "s1")).unwrap();
    let first_event = first.take_outputs().into_iter().find_map(|output| match output {
        crate::session::Output::Remember { event, .. } => Some(event),
        _ => None,
    });
    let record = crate::Record::fold(&first_event).unwrap();
    let now = crate::Timestamp(2_000);
    let mut session = Session::recover(super::minutes::facts(), crate::limits::Limits::default(), record, now, now, &[]);
    assert_eq!(session.wake_at(), Some(crate::Timestamp(61_000)));
    session.handle_timeout(crate::Timestamp(61_000));
    assert_eq!(session.summary(), None);
}

#[test]
fn a_session_that_had_ended_is_recovered_as_ended() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    let _ = meeting.act(1, "the API ends it", |session, now| session.kick_all(now, &crate::event::Actor::Api));
    meeting.dies(2, 500);
    meeting.joins(501, "ana", &guest());
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:01 the API ends it
         media: close connections of ana
         to ana: Ended
         hang up on ana
         = no session
    8:20 the server is back, dead since 0:02
         = no session
    8:21 ana joins
         = s2: 1 live, 1 at most, 0.00 min
    ");
}

/// Its client comes back by itself, with the same peer id, and has not heard that it was removed.
#[test]
fn who_is_removed_while_away_stays_out_and_is_told_so_even_after_a_crash() {
    for crash in [false, true] {
        let mut meeting = Minutes::new();
        meeting.enters(0, "hana", &host());
        meeting.enters(0, "bo", &guest());
        meeting.drops(1, "bo");
        meeting.act(2, "hana removes bo", |session, now| session.kick(now, &id("hana"), &[id("bo")])).unwrap();
        if crash {
            meeting.dies(3, 4);
        }
        assert_eq!(meeting.tries_to_join(5, "bo", &guest()), Err(Refusal::PutOut));
        assert!(meeting.text().contains("to bo: Kicked"), "{}", meeting.text());
        assert!(!meeting.session.record().unwrap().peers[&id("bo")].is_present());
        // Whoever heard of it may come again, and so may a new page.
        meeting.joins(6, "cy", &guest());
        meeting.does(7, "the API removes cy", |session, now| session.kick_participants(now, &[participant("cy")]));
        meeting.joins(8, "cy", &guest());
    }
}

#[test]
fn each_stay_of_a_peer_counts() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    let seconds = |meeting: &Minutes, now| meeting.session.record().unwrap().peers[&id("bo")].duration_ms(at(now)) / 1_000;
    assert_eq!(seconds(&meeting, 5), 5);
    meeting.leaves(10, "bo");
    assert_eq!(seconds(&meeting, 60), 10, "who has left stands still");
    let left = |meeting: &Minutes, peer: &str| meeting.session.record().unwrap().peers[&id(peer)].left_at();
    assert_eq!((left(&meeting, "ana"), left(&meeting, "bo")), (None, Some(at(10))));
    meeting.joins(100, "bo", &guest());
    assert_eq!(seconds(&meeting, 103), 13);
    meeting.drops(105, "bo");
    assert_eq!(seconds(&meeting, 110), 15, "who is away stands still");
    meeting.joins(112, "bo", &guest());
    assert_eq!(seconds(&meeting, 120), 30, "and was not away if it comes back in time");
}

//! Whole meetings: people meet, wait, are removed, and the session ends.

use insta::assert_snapshot;

use super::minutes::{Minutes, guest, host, id, join, participant, preset, waits};
use crate::event::Actor;
use crate::preset::Entry;
use crate::session::Refusal;

#[test]
fn two_people_meet_and_leave() {
    let mut meeting = Minutes::new();
    meeting.answer(0);
    meeting.enters(0, "ana", &guest());
    meeting.enters(30, "bo", &guest());
    meeting.answer(60);
    meeting.leaves(90, "ana");
    meeting.leaves(120, "bo");
    meeting.time_passes(179);
    meeting.time_passes(180);
    assert_snapshot!(meeting.text(), @"
    0:00
         = no session
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 ana has media
         = s1: 1 live, 1 at most, 0.00 min
    0:30 bo joins
         to ana: bo is here
         = s1: 2 live, 2 at most, 0.50 min
    0:30 bo has media and finds ana []
         to ana: bo has media
         = s1: 2 live, 2 at most, 0.50 min
    1:00
         = s1: 2 live, 2 at most, 1.50 min
    1:30 ana leaves
         media: close connections of ana
         to bo: ana has no media
         to bo: ana is gone
         = s1: 1 live, 2 at most, 2.50 min
    2:00 bo leaves
         media: close connections of bo
         = s1: 0 live, 2 at most, 3.00 min
    2:59 time passes
         = s1: 0 live, 2 at most, 3.00 min
    3:00 time passes
         = no session
    ");
}

#[test]
fn coming_back_within_the_keep_alive_goes_on_and_later_begins_anew() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.leaves(60, "ana");
    meeting.joins(119, "ana", &guest());
    meeting.leaves(120, "ana");
    // Nobody woke the session at 180: the next to come finds it over all the same.
    meeting.joins(180, "bo", &guest());
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    1:00 ana leaves
         media: close connections of ana
         = s1: 0 live, 1 at most, 1.00 min
    1:59 ana joins
         = s1: 1 live, 1 at most, 1.00 min
    2:00 ana leaves
         media: close connections of ana
         = s1: 0 live, 1 at most, 1.02 min
    3:00 bo joins
         = s2: 1 live, 1 at most, 0.00 min
    ");
}

#[test]
fn the_keep_alive_runs_from_the_last_leave_even_if_a_lost_one_is_given_up_later() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    meeting.drops(50, "ana");
    meeting.leaves(60, "bo");
    meeting.time_passes(119);
    meeting.time_passes(120);
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to ana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:50 ana's socket breaks
         = s1: 1 live, 2 at most, 1.67 min
    1:00 bo leaves
         media: close connections of bo
         = s1: 0 live, 2 at most, 1.83 min
    1:59 time passes
         media: close connections of ana
         = s1: 0 live, 2 at most, 1.83 min
    2:00 time passes
         = no session
    ");
}

#[test]
fn a_host_removes_somebody_who_may_come_again() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    let _ = meeting.publishes(0, "bo", "mic");
    let kick = |session: &mut crate::Session, now| session.kick(now, &id("hana"), &[id("bo")]);
    let _ = meeting.act(60, "hana kicks bo", kick);
    let _ = meeting.act(60, "hana kicks bo again", kick);
    meeting.joins(90, "bo", &guest());
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
    0:00 bo publishes mic
         media: pass on bo-mic
         to hana: new bo-mic on
         = s1: 2 live, 2 at most, 0.00 min
    1:00 hana kicks bo
         media: close bo-mic
         to hana: no more bo-mic
         media: close connections of bo
         to hana: bo has no media
         to hana: bo is gone
         to bo: Kicked
         hang up on bo
         = s1: 1 live, 2 at most, 2.00 min
    1:00 hana kicks bo again
         = s1: 1 live, 2 at most, 2.00 min
    1:30 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 2.50 min
    ");
}

#[test]
fn a_host_ends_it_for_everyone_at_once() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "cy", &guest());
    meeting.joins(10, "dee", &waits(Entry::OnAccept));
    meeting.drops(50, "cy");
    let kicked = meeting.act(60, "hana ends it", |session, now| session.kick_all(now, &Actor::Peer(id("hana"))));
    assert_eq!(kicked, Ok(3));
    let again = meeting.act(60, "the API ends it", |session, now| session.kick_all(now, &Actor::Api));
    assert_eq!(again, Err(Refusal::NoSession));
    meeting.joins(61, "bo", &guest());
    assert_snapshot!(meeting.text(), @"
    0:00 hana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 bo joins
         to hana: bo is here
         = s1: 2 live, 2 at most, 0.00 min
    0:00 cy joins
         to bo, hana: cy is here
         = s1: 3 live, 3 at most, 0.00 min
    0:10 dee joins and has to wait
         to hana: [dee] wait
         = s1: 3 live, 3 at most, 0.50 min
    0:50 cy's socket breaks
         = s1: 2 live, 3 at most, 2.50 min
    1:00 hana ends it
         media: close connections of hana
         media: close connections of bo
         media: close connections of cy
         to hana: Ended
         hang up on hana
         to bo: Ended
         hang up on bo
         to cy: Ended
         hang up on cy
         to dee: Ended
         hang up on dee
         = no session
    1:00 the API ends it: NoSession
         = no session
    1:01 bo joins
         = s2: 1 live, 1 at most, 0.00 min
    ");
}

#[test]
fn the_api_ends_a_session_that_only_its_keep_alive_holds() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.leaves(30, "ana");
    let kicked = meeting.act(45, "the API ends it", |session, now| session.kick_all(now, &Actor::Api));
    assert_eq!(kicked, Ok(0));
    assert_eq!(meeting.session.wake_at(), None);
    assert!(meeting.session.is_idle());
}

#[test]
fn the_api_removes_all_connections_of_the_people_it_names() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "ana-2", &guest());
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "cy", &waits(Entry::OnAccept));
    meeting.drops(5, "ana-2");
    let custom = ["custom cy".to_string(), "no one".to_string()];
    let found = meeting.session.find_participants(&["ana".to_string()], &custom);
    assert_eq!(found, [participant("ana"), participant("cy")]);
    let removed = meeting.does(10, "the API kicks ana and cy", |session, now| session.kick_participants(now, &found));
    assert_eq!(removed, found);
    let removed = meeting.does(11, "the API kicks ana and cy", |session, now| session.kick_participants(now, &found));
    assert_eq!(removed, []);
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 ana-2 joins
         to ana: ana-2 is here
         = s1: 2 live, 2 at most, 0.00 min
    0:00 bo joins
         to ana, ana-2: bo is here
         = s1: 3 live, 3 at most, 0.00 min
    0:00 cy joins and has to wait
         = s1: 3 live, 3 at most, 0.00 min
    0:05 ana-2's socket breaks
         = s1: 2 live, 3 at most, 0.25 min
    0:10 the API kicks ana and cy
         media: close connections of ana
         to bo: ana is gone
         to ana: Kicked
         hang up on ana
         media: close connections of ana-2
         to bo: ana-2 is gone
         to ana-2: Kicked
         hang up on ana-2
         to cy: Kicked
         hang up on cy
         = s1: 1 live, 3 at most, 0.42 min
    0:11 the API kicks ana and cy
         = s1: 1 live, 3 at most, 0.43 min
    ");
}

#[test]
fn a_deleted_participant_is_out() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.does(10, "ana is deleted", |session, now| session.delete_participant(now, &participant("ana")));
    meeting.time_passes(70);
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:10 ana is deleted
         media: close connections of ana
         to ana: Kicked
         hang up on ana
         = s1: 0 live, 1 at most, 0.17 min
    1:10 time passes
         = no session
    ");
}

#[test]
fn two_tabs_of_one_person_are_two_peers() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "ana-2", &guest());
    meeting.leaves(60, "ana");
    meeting.answer(120);
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 ana-2 joins
         to ana: ana-2 is here
         = s1: 2 live, 2 at most, 0.00 min
    1:00 ana leaves
         media: close connections of ana
         to ana-2: ana is gone
         = s1: 1 live, 2 at most, 2.00 min
    2:00
         = s1: 1 live, 2 at most, 3.00 min
    ");
}

#[test]
fn a_peer_id_belongs_to_the_one_who_brought_it() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "hana", &host());
    let mut thief = join("ana", &host(), "s9");
    thief.participant = participant("eve");
    let _ = meeting.joins_with(1, "eve joins as ana", thief.clone());
    meeting.leaves(2, "ana");
    let _ = meeting.joins_with(3, "eve joins as ana", thief);
    // Those who wait own theirs as well.
    meeting.joins(4, "cy", &waits(Entry::OnAccept));
    let mut thief = join("cy", &guest(), "s9");
    thief.participant = participant("eve");
    let _ = meeting.joins_with(5, "eve joins as cy", thief);
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 hana joins
         to ana: hana is here
         = s1: 2 live, 2 at most, 0.00 min
    0:01 eve joins as ana: PeerIdTaken
         = s1: 2 live, 2 at most, 0.03 min
    0:02 ana leaves
         media: close connections of ana
         to hana: ana is gone
         = s1: 1 live, 2 at most, 0.07 min
    0:03 eve joins as ana: PeerIdTaken
         = s1: 1 live, 2 at most, 0.08 min
    0:04 cy joins and has to wait
         to hana: [cy] wait
         = s1: 1 live, 2 at most, 0.10 min
    0:05 eve joins as cy: PeerIdTaken
         = s1: 1 live, 2 at most, 0.12 min
    ");
}

#[test]
fn an_inactive_meeting_takes_nobody_in_but_keeps_those_it_has() {
    let mut meeting = Minutes::new();
    let mut late = join("bo", &guest(), "s9");
    late.meeting_active = false;
    let _ = meeting.joins_with(0, "bo joins the inactive meeting", late.clone());
    meeting.joins(1, "ana", &guest());
    let _ = meeting.joins_with(2, "bo joins the inactive meeting", late);
    meeting.drops(3, "ana");
    let mut back = join("ana", &guest(), "s9");
    back.meeting_active = false;
    let _ = meeting.joins_with(4, "ana returns to the inactive meeting", back);
    assert_snapshot!(meeting.text(), @"
    0:00 bo joins the inactive meeting: MeetingInactive
         = no session
    0:01 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:02 bo joins the inactive meeting: MeetingInactive
         = s1: 1 live, 1 at most, 0.02 min
    0:03 ana's socket breaks
         = s1: 0 live, 1 at most, 0.03 min
    0:04 ana returns to the inactive meeting
         = s1: 1 live, 1 at most, 0.05 min
    ");
}

#[test]
fn a_robot_is_told_of_but_does_not_count() {
    let mut meeting = Minutes::new();
    let robot = preset(|preset| {
        preset.hidden = true;
        preset.recorder = crate::preset::Recorder::Recorder;
    });
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "robot", &robot);
    meeting.answer(60);
    meeting.leaves(60, "robot");
    assert_snapshot!(meeting.text(), @"
    0:00 ana joins
         = s1: 1 live, 1 at most, 0.00 min
    0:00 ana has media
         = s1: 1 live, 1 at most, 0.00 min
    0:00 robot joins
         to ana: robot is here
         = s1: 1 live, 1 at most, 0.00 min
    0:00 robot has media and finds ana []
         to ana: robot has media
         = s1: 1 live, 1 at most, 0.00 min
    1:00
         = s1: 1 live, 1 at most, 1.00 min
    1:00 robot leaves
         media: close connections of robot
         to ana: robot has no media
         to ana: robot is gone
         = s1: 1 live, 1 at most, 1.00 min
    ");
}

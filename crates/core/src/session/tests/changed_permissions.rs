//! Permissions that change while people use them.

use insta::assert_snapshot;

use super::minutes::{Minutes, guest, host, id, participant, preset, waits};
use crate::limits::{MAX_PERMISSION_TARGETS, PERMISSION_CHANGES_PER_MINUTE};
use crate::permission::{Changes, Flag, Source};
use crate::preset::{CanProduce, Entry};
use crate::session::{Mute, NewPermissions, Refusal};

fn new(person: &str, changes: Changes) -> NewPermissions {
    NewPermissions { participant: participant(person), changes, hidden: None, robot: None }
}

fn flag(flag: Flag, value: bool) -> Changes {
    Changes { flags: [(flag, value)].into(), ..Changes::default() }
}

fn media(source: Source, leave: CanProduce) -> Changes {
    Changes { media: [(source, leave)].into(), ..Changes::default() }
}

/// Hana changes what somebody may do.
fn permits(meeting: &mut Minutes, second: i64, person: &str, changes: Changes) -> Result<(), Refusal> {
    let wanted = [new(person, changes)];
    let what = format!("hana changes what {person} may do");
    meeting.act(second, &what, |session, now| session.change_permissions(now, &id("hana"), &wanted))
}

#[test]
fn one_who_may_no_longer_be_heard_is_silent_at_once_on_every_device_until_allowed_again() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    meeting.enters(0, "bo-2", &guest());
    let mic = meeting.publishes(0, "bo", "mic").unwrap();
    meeting.publishes(0, "bo", "cam").unwrap();
    meeting.publishes(0, "bo-2", "mic").unwrap();
    let before = meeting.text().len();
    permits(&mut meeting, 1, "bo", media(Source::Microphone, CanProduce::NotAllowed)).unwrap();
    let unmute = |session: &mut crate::Session, now| session.set_paused(now, &id("bo"), &mic.id, false);
    assert_eq!(meeting.act(2, "bo unmutes", unmute), Err(Refusal::NotAllowed));
    // What is so already is no news.
    permits(&mut meeting, 3, "bo", media(Source::Microphone, CanProduce::NotAllowed)).unwrap();
    permits(&mut meeting, 4, "bo", media(Source::Microphone, CanProduce::Allowed)).unwrap();
    meeting.act(5, "bo unmutes", unmute).unwrap();
    assert_snapshot!(&meeting.text()[before..], @"
    0:01 hana changes what bo may do
         media: pause bo-mic
         to bo, bo-2, hana: bo-mic off by hana
         to bo: bo may: media.audio.can_produce NotAllowed
         media: pause bo-2-mic
         to bo, bo-2, hana: bo-2-mic off by hana
         to bo-2: bo may: media.audio.can_produce NotAllowed
         = s1: 3 live, 3 at most, 0.05 min
    0:02 bo unmutes: NotAllowed
         to bo: bo-mic off by the server
         = s1: 3 live, 3 at most, 0.10 min
    0:03 hana changes what bo may do
         = s1: 3 live, 3 at most, 0.15 min
    0:04 hana changes what bo may do
         to bo, bo-2: bo may: media.audio.can_produce Allowed
         = s1: 3 live, 3 at most, 0.20 min
    0:05 bo unmutes
         media: pass on bo-mic
         to bo, bo-2, hana: bo-mic on by bo
         = s1: 3 live, 3 at most, 0.25 min
    ");
}

#[test]
fn a_screen_that_may_no_longer_be_shared_is_gone() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    meeting.publishes(0, "bo", "screen").unwrap();
    meeting.publishes(0, "bo", "sound").unwrap();
    let before = meeting.text().len();
    permits(&mut meeting, 1, "bo", media(Source::Screen, CanProduce::NotAllowed)).unwrap();
    assert_eq!(meeting.publishes(2, "bo", "screen").map(drop), Err(Refusal::NotAllowed));
    assert_snapshot!(&meeting.text()[before..], @"
    0:01 hana changes what bo may do
         media: close bo-screen
         to hana: no more bo-screen
         to bo, hana: bo is not in the order
         to bo: no more bo-screen
         media: close bo-sound
         to hana, bo: no more bo-sound
         to bo: bo may: media.screenshare.can_produce NotAllowed
         = s1: 2 live, 2 at most, 0.03 min
    0:02 bo publishes screen: NotAllowed
         = s1: 2 live, 2 at most, 0.07 min
    ");
}

#[test]
fn leave_to_ask_is_leave_to_publish_on_a_stage_only() {
    let stage = preset(|preset| preset.stage_enabled = true);
    for (preset, goes_on) in [(stage, true), (guest(), false)] {
        let mut meeting = Minutes::new();
        meeting.enters(0, "hana", &host());
        meeting.enters(0, "bo", &preset);
        let mic = meeting.publishes(0, "bo", "mic").unwrap();
        permits(&mut meeting, 1, "bo", media(Source::Microphone, CanProduce::CanRequest)).unwrap();
        assert_eq!(meeting.session.track(&id("bo"), &mic.id).is_some_and(|mic| !mic.paused), goes_on);
    }
}

#[test]
fn what_was_changed_outlives_reconnects_and_crashes_and_ends_with_the_session() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    permits(&mut meeting, 1, "bo", flag(Flag::KickParticipant, true)).unwrap();
    permits(&mut meeting, 2, "bo", media(Source::Camera, CanProduce::NotAllowed)).unwrap();
    meeting.drops(3, "bo");
    permits(&mut meeting, 4, "bo", flag(Flag::EditDisplayName, false)).unwrap();
    let before = meeting.text().len();
    meeting.joins(5, "bo", &guest());
    meeting.dies(6, 8);
    meeting.enters(9, "bo", &guest());
    meeting.joins(9, "bo-2", &guest());
    assert_snapshot!(&meeting.text()[before..], @"
    0:05 bo joins
         to bo: bo may: can_edit_display_name false, kick_participant true, media.video.can_produce NotAllowed
         = s1: 2 live, 2 at most, 0.17 min
    0:08 the server is back, dead since 0:06
         = s1: 0 live, 2 at most, 0.20 min
    0:09 bo joins
         to bo: bo may: can_edit_display_name false, kick_participant true, media.video.can_produce NotAllowed
         = s1: 1 live, 2 at most, 0.25 min
    0:09 bo has media
         = s1: 1 live, 2 at most, 0.25 min
    0:09 bo-2 joins
         to bo: bo-2 is here
         to bo-2: bo may: can_edit_display_name false, kick_participant true, media.video.can_produce NotAllowed
         = s1: 2 live, 2 at most, 0.25 min
    ");
    assert_eq!(meeting.publishes(10, "bo", "cam").map(drop), Err(Refusal::NotAllowed));
    assert_eq!(meeting.act(10, "bo-2 kicks hana", |session, now| session.kick(now, &id("bo-2"), &[id("hana")])), Ok(()));

    meeting.leaves(20, "bo");
    meeting.leaves(20, "bo-2");
    meeting.enters(600, "bo", &guest());
    assert!(meeting.session.permission_changes(&participant("bo")).is_empty());
    assert_eq!(meeting.publishes(601, "bo", "cam").map(drop), Ok(()));
}

#[test]
fn who_may_admit_people_now_lets_in_those_who_wait_for_such_a_person() {
    let mut meeting = Minutes::new();
    let hana = preset(|preset| preset.change_permissions = true);
    meeting.joins(0, "hana", &hana);
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "cy", &waits(Entry::OnPrivilegedEntry));
    meeting.joins(0, "dee", &waits(Entry::OnAccept));
    let before = meeting.text().len();
    permits(&mut meeting, 1, "bo", flag(Flag::AcceptWaitingRequests, true)).unwrap();
    permits(&mut meeting, 2, "bo", flag(Flag::AcceptWaitingRequests, false)).unwrap();
    meeting.leaves(3, "dee");
    assert_snapshot!(&meeting.text()[before..], @"
    0:01 hana changes what bo may do
         to bo: bo may: accept_waiting_requests true
         to cy: Admitted
         to bo: [cy, dee] wait
         = s1: 2 live, 2 at most, 0.03 min
    0:02 hana changes what bo may do
         to bo: bo may: accept_waiting_requests false
         = s1: 2 live, 2 at most, 0.07 min
    0:03 dee leaves
         = s1: 2 live, 2 at most, 0.10 min
    ");
}

#[test]
fn the_way_in_counts_from_the_next_time() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    permits(&mut meeting, 1, "bo", Changes { entry: Some(Entry::OnAccept), ..Changes::default() }).unwrap();
    meeting.leaves(2, "bo");
    meeting.joins(3, "bo", &guest());
    assert!(meeting.session.is_waiting(&id("bo")));
}

/// A client that hears of one poll permission, and not of the leave to see polls, takes that for lost.
#[test]
fn about_polls_everything_is_told_at_once() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    let before = meeting.text().len();
    permits(&mut meeting, 1, "bo", flag(Flag::PollsCreate, false)).unwrap();
    assert_snapshot!(&meeting.text()[before..], @"
    0:01 hana changes what bo may do
         to bo: bo may: polls.can_create false, polls.can_vote true, polls.can_view true
         = s1: 2 live, 2 at most, 0.03 min
    ");
}

#[test]
fn nobody_becomes_hidden_or_a_robot_in_a_call_and_the_unknown_are_refused_as_a_whole() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "ghost", &preset(|preset| preset.hidden = true));
    meeting.joins(0, "cy", &waits(Entry::OnAccept));
    let before = meeting.session.record().cloned();
    let yes = || flag(Flag::KickParticipant, true);
    let bo = |hidden, robot| NewPermissions { hidden, robot, ..new("bo", yes()) };
    let cases = [
        (vec![bo(Some(true), None)], Refusal::Settled),
        (vec![bo(None, Some(true))], Refusal::Settled),
        (vec![new("bo", yes()), new("zoe", yes())], Refusal::UnknownParticipant),
        (vec![new("bo", yes()), new("cy", yes())], Refusal::UnknownParticipant),
        (vec![new("ghost", yes())], Refusal::UnknownParticipant),
        (vec![new("bo", yes()); MAX_PERMISSION_TARGETS + 1], Refusal::TooLarge),
    ];
    for (wanted, refusal) in cases {
        let done = meeting.act(1, "hana tries", |session, now| session.change_permissions(now, &id("hana"), &wanted));
        assert_eq!(done, Err(refusal));
        assert_eq!(meeting.session.record().cloned(), before, "a refusal changes nothing");
    }
    let same = [bo(Some(false), Some(false))];
    assert_eq!(meeting.act(2, "hana", |session, now| session.change_permissions(now, &id("hana"), &same)), Ok(()));
}

#[test]
fn so_many_changes_in_a_minute() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    let many = vec![new("bo", flag(Flag::Record, true)); PERMISSION_CHANGES_PER_MINUTE - 1];
    meeting.act(1, "many", |session, now| session.change_permissions(now, &id("hana"), &many)).unwrap();
    let two = vec![new("bo", flag(Flag::Record, false)); 2];
    let change = |session: &mut crate::Session, now| session.change_permissions(now, &id("hana"), &two);
    assert_eq!(meeting.act(2, "two more", change), Err(Refusal::TooOften));
    assert_eq!(permits(&mut meeting, 2, "bo", flag(Flag::Record, false)), Ok(()));
    assert_eq!(meeting.act(61, "a minute later", change), Ok(()));
}

#[test]
fn what_people_may_do_is_read_by_those_who_are_in_of_those_they_see() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "ghost", &preset(|preset| preset.hidden = true));
    permits(&mut meeting, 1, "bo", flag(Flag::PollsVote, false)).unwrap();
    let read = |session: &mut crate::Session, now, caller: &str, of: &[&str]| {
        let of: Vec<_> = of.iter().map(|name| participant(name)).collect();
        session.read_permissions(now, &id(caller), &of)
    };
    let found = meeting.act(2, "bo reads", |session, now| read(session, now, "bo", &["bo", "hana"])).unwrap();
    assert_eq!(found, [(id("bo"), flag(Flag::PollsVote, false)), (id("hana"), Changes::default())]);
    let ghost = meeting.act(3, "bo reads", |session, now| read(session, now, "bo", &["ghost"]));
    assert_eq!(ghost, Err(Refusal::UnknownParticipant));
    let outside = meeting.act(3, "zoe reads", |session, now| read(session, now, "zoe", &["bo"]));
    assert_eq!(outside, Err(Refusal::NotJoined));
}

#[test]
fn so_many_are_asked_about_at_once() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "bo", &guest());
    let mut reads = |count| {
        let all = vec![participant("bo"); count];
        meeting.act(1, "bo reads", |session, now| session.read_permissions(now, &id("bo"), &all)).map(|found| found.len())
    };
    assert_eq!(reads(MAX_PERMISSION_TARGETS + 1), Err(Refusal::TooLarge));
    assert_eq!(reads(MAX_PERMISSION_TARGETS), Ok(MAX_PERMISSION_TARGETS));
}

/// Who has just been given leave has it for the very next call, and who lost it has not.
#[test]
fn the_next_call_is_judged_by_it() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "hana", &host());
    meeting.enters(0, "bo", &guest());
    let mute = Mute { audio: true, ..Mute::default() };
    let bo_mutes = |session: &mut crate::Session, now| session.host_mute(now, &id("bo"), Some(&id("hana")), mute);
    assert_eq!(meeting.act(1, "bo mutes hana", bo_mutes), Err(Refusal::NotAllowed));
    permits(&mut meeting, 1, "bo", flag(Flag::DisableAudio, true)).unwrap();
    assert_eq!(meeting.act(1, "bo mutes hana", bo_mutes), Ok(()));
    permits(&mut meeting, 1, "bo", flag(Flag::DisableAudio, false)).unwrap();
    assert_eq!(meeting.act(1, "bo mutes hana", bo_mutes), Err(Refusal::NotAllowed));
    // Hana gave herself away.
    permits(&mut meeting, 2, "hana", flag(Flag::ChangePermissions, false)).unwrap();
    assert_eq!(permits(&mut meeting, 3, "bo", flag(Flag::DisableAudio, true)), Err(Refusal::NotAllowed));
}

#[test]
fn a_name_given_by_a_host_stays_when_its_bearer_reconnects() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &host());
    let join = || {
        let mut join = super::minutes::join("bo", &guest(), "s1");
        join.wanted_name = Some("Boo".to_string());
        join
    };
    meeting.joins_with(0, "bo joins as Boo", join()).unwrap();
    let before = meeting.text().len();
    meeting.act(1, "hana renames bo", |session, now| session.rename(now, &id("hana"), &id("bo"), "Bob")).unwrap();
    meeting.drops(2, "bo");
    meeting.joins_with(3, "bo joins as Boo", join()).unwrap();
    assert_eq!(meeting.session.peer(&id("hana"), &id("bo")).unwrap().name, "Bob");
    meeting.act(4, "bo takes another", |session, now| session.rename(now, &id("bo"), &id("bo"), "Boo")).unwrap();
    assert_snapshot!(&meeting.text()[before..], @"
    0:01 hana renames bo
         to bo: bo is called Bob
         = s1: 2 live, 2 at most, 0.03 min
    0:02 bo's socket breaks
         = s1: 1 live, 2 at most, 0.07 min
    0:03 bo joins as Boo
         = s1: 2 live, 2 at most, 0.10 min
    0:04 bo takes another
         to hana: bo is called Boo
         = s1: 2 live, 2 at most, 0.13 min
    ");
}

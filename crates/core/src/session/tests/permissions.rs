//! One test for each permission: who has all others is refused, who has only this one is not.

use super::minutes::{Minutes, guest, host, id, participant, preset, waits};
use super::track;
use crate::event::Actor;
use crate::permission::{Changes, Flag};
use crate::preset::{CanProduce, Entry, Preset, ViewType};
use crate::session::{Audience, Broadcast, Mute, NewPermissions, Refusal, Session};
use crate::time::Timestamp;

/// `act` by `caller` is refused with everything but one permission, and done with that one alone.
fn check(permission: impl Fn(&mut Preset) -> &mut bool, act: impl Fn(&mut Session, Timestamp) -> Result<(), Refusal>) {
    for (mut caller, granted) in [(host(), false), (guest(), true)] {
        *permission(&mut caller) = granted;
        let mut meeting = Minutes::new();
        meeting.enters(0, "caller", &caller);
        meeting.enters(0, "bo", &guest());
        meeting.publishes(0, "bo", "mic").unwrap();
        meeting.publishes(0, "bo", "screen").unwrap();
        meeting.joins(0, "cy", &waits(Entry::OnAccept));
        let before = meeting.session.record().cloned();
        let done = meeting.act(1, "caller acts", &act);
        if granted {
            assert_eq!(done, Ok(()));
        } else {
            assert_eq!(done, Err(Refusal::NotAllowed));
            assert_eq!(meeting.session.record().cloned(), before, "a refusal changes nothing");
        }
    }
}

fn caller() -> crate::PeerId {
    id("caller")
}

#[test]
fn to_see_who_waits() {
    check(|preset| &mut preset.accept_waiting_requests, |session, _| session.waiting_list(&caller()).map(drop));
}

#[test]
fn to_admit() {
    let cy = [participant("cy")];
    check(|preset| &mut preset.accept_waiting_requests, |session, now| session.admit(now, &caller(), &cy));
}

#[test]
fn to_deny() {
    let cy = [participant("cy")];
    check(|preset| &mut preset.accept_waiting_requests, |session, now| session.deny(now, &caller(), &cy));
}

#[test]
fn to_kick() {
    check(|preset| &mut preset.kick_participant, |session, now| session.kick(now, &caller(), &[id("bo")]));
}

#[test]
fn to_kick_all() {
    let by = Actor::Peer(caller());
    check(|preset| &mut preset.kick_participant, |session, now| session.kick_all(now, &by).map(drop));
}

#[test]
fn to_mute_microphones() {
    let what = Mute { audio: true, ..Mute::default() };
    check(|preset| &mut preset.disable_audio, |session, now| session.host_mute(now, &caller(), None, what));
    check(|preset| &mut preset.disable_audio, |session, now| session.host_mute(now, &caller(), Some(&id("bo")), what));
}

#[test]
fn to_stop_cameras() {
    let what = Mute { video: true, ..Mute::default() };
    check(|preset| &mut preset.disable_video, |session, now| session.host_mute(now, &caller(), None, what));
}

#[test]
fn to_stop_screens() {
    let what = Mute { screen_share: true, ..Mute::default() };
    check(|preset| &mut preset.disable_screenshare, |session, now| session.host_mute(now, &caller(), None, what));
}

#[test]
fn to_mute_in_one_go_takes_every_permission_it_touches() {
    let what = Mute { audio: true, video: true, screen_share: true };
    let mut meeting = Minutes::new();
    let almost = preset(|preset| {
        preset.disable_audio = true;
        preset.disable_video = true;
    });
    meeting.enters(0, "caller", &almost);
    let done = meeting.act(1, "caller stops all", |session, now| session.host_mute(now, &caller(), None, what));
    assert_eq!(done, Err(Refusal::NotAllowed));
}

#[test]
fn to_take_another_name() {
    check(|preset| &mut preset.can_edit_display_name, |session, now| session.rename(now, &caller(), &caller(), "Somebody else"));
}

#[test]
fn to_give_others_another_name() {
    check(|preset| &mut preset.change_permissions, |session, now| session.rename(now, &caller(), &id("bo"), "Bob"));
}

#[test]
fn to_pin_somebody() {
    check(|preset| &mut preset.pin_participant, |session, now| session.pin(now, &caller(), Some(&id("bo"))));
}

#[test]
fn to_lead_the_view() {
    let lead = |session: &mut Session, now| {
        let message = Broadcast { kind: "spotlight".to_string(), payload: Vec::new(), timestamp: 0, ids: Vec::new() };
        session.broadcast(now, &caller(), Audience::Others, message)
    };
    check(|preset| &mut preset.can_spotlight, lead);
}

#[test]
fn to_change_what_others_may_do() {
    let changes = Changes { flags: [(Flag::KickParticipant, true)].into(), ..Changes::default() };
    let new = [NewPermissions { participant: participant("bo"), changes, hidden: None, robot: None }];
    check(|preset| &mut preset.change_permissions, |session, now| session.change_permissions(now, &caller(), &new));
}

#[test]
fn a_name_wished_for_on_joining_takes_the_permission_as_well() {
    let mut meeting = Minutes::new();
    let mut join = super::minutes::join("bo", &preset(|preset| preset.can_edit_display_name = false), "s1");
    join.wanted_name = Some("The Boss".to_string());
    meeting.joins_with(0, "bo joins as The Boss", join).unwrap();
    assert_eq!(meeting.session.peer(&id("bo"), &id("bo")).unwrap().name, "bo");
}

#[test]
fn to_publish_each_kind() {
    type Field = fn(&mut Preset) -> &mut CanProduce;
    let kinds: [(&str, Field); 4] = [
        ("mic", |preset| &mut preset.audio),
        ("cam", |preset| &mut preset.video),
        ("screen", |preset| &mut preset.screenshare),
        ("sound", |preset| &mut preset.screenshare),
    ];
    for (what, field) in kinds {
        for (value, expected) in [
            (CanProduce::Allowed, Ok(())),
            (CanProduce::NotAllowed, Err(Refusal::NotAllowed)),
            (CanProduce::CanRequest, Err(Refusal::NotAllowed)),
        ] {
            let mut meeting = Minutes::new();
            meeting.enters(0, "caller", &preset(|preset| *field(preset) = value));
            let track = track("caller", what);
            assert_eq!(meeting.session.may_publish(&caller(), track.kind, track.screen_share), expected, "{what}");
            assert_eq!(meeting.publishes(1, "caller", what).map(drop), expected, "{what}");
        }
    }
}

#[test]
fn to_switch_on_again_takes_the_leave_to_publish() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "caller", &guest());
    let mic = meeting.publishes(0, "caller", "mic").unwrap().id;
    let pause = |paused| {
        let mic = mic.clone();
        move |session: &mut Session, now: Timestamp| session.set_paused(now, &caller(), &mic, paused)
    };
    assert_eq!(meeting.act(1, "caller mutes", pause(true)), Ok(()));
    meeting.session.roster.get_mut(&caller()).unwrap().preset.audio = CanProduce::NotAllowed;
    assert_eq!(meeting.act(2, "caller unmutes", pause(false)), Err(Refusal::NotAllowed));
}

#[test]
fn a_stage_decides_who_is_on_it() {
    use CanProduce::{Allowed, CanRequest, NotAllowed};
    // (stage_enabled, view_type, stage_access, audio) -> on stage from the start
    let cases = [
        (false, ViewType::GroupCall, None, NotAllowed, true),
        (false, ViewType::GroupCall, Some(NotAllowed), Allowed, true),
        (true, ViewType::GroupCall, None, Allowed, true),
        (true, ViewType::GroupCall, None, NotAllowed, false),
        (true, ViewType::GroupCall, Some(CanRequest), Allowed, false),
        (false, ViewType::Webinar, None, CanRequest, false),
        (false, ViewType::Webinar, Some(Allowed), NotAllowed, true),
        (false, ViewType::Livestream, Some(NotAllowed), Allowed, false),
        (false, ViewType::AudioRoom, Some(NotAllowed), Allowed, true),
    ];
    for case in cases {
        let (stage_enabled, view_type, stage_access, audio, expected) = case;
        let (video, screenshare) = (NotAllowed, NotAllowed);
        let preset = Preset { stage_enabled, view_type, stage_access, audio, video, screenshare, ..guest() };
        assert_eq!(preset.joins_on_stage(), expected, "{case:?}");
    }
}

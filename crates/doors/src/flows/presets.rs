//! What a stored preset means: to a session, and as the JSON it was stored from.
//! Invariant: a stored body is one that `PresetBody` reads, and what a session enforces is taken from its fields. Nothing
//! is looked up by name, so a field that is renamed or added does not compile until it has its meaning here.
//! Next: `rest/presets.rs`, how presets are made and changed.

use salon_core::permission::{Changes, Flag, Source};
use salon_core::preset::{
    CanProduce, ConnectedPermissions, Entry, MediaQuality, PictureSize, PluginPermissions, PollPermissions, PrivateChat,
    PublicChat, Recorder, ViewType,
};
use salon_core::{AppId, PresetId, Timestamp};
use salon_store::Preset;
use salon_wire::rest::default_presets::default_presets;
use salon_wire::rest::presets as wire;

use crate::ids::fresh_id;

/// A stored body that is no preset: a bug, or somebody else wrote into the database.
#[derive(Debug, thiserror::Error)]
#[error("preset {preset} cannot be read: {cause}")]
pub struct Unreadable {
    preset: PresetId,
    cause: serde_json::Error,
}

/// The presets a new app starts with. Lists show the newest first, so the first of the seven is made last.
pub fn defaults(app: &AppId, now: Timestamp) -> Vec<Preset> {
    default_presets().into_iter().rev().map(|body| stored(app, fresh_id(), body, now)).collect()
}

/// A preset as it is stored.
pub fn stored(app: &AppId, id: PresetId, body: wire::PresetBody, now: Timestamp) -> Preset {
    let mut json = serde_json::to_value(&body).expect("a preset is plain data");
    if let Some(parts) = json.as_object_mut() {
        // The name is a column of its own: it is unique, and searched.
        parts.remove("name");
    }
    Preset { id, app: app.clone(), name: body.name, body: json, created_at: now, updated_at: now }
}

/// The stored body, read back as the type that was stored.
pub fn read(preset: &Preset) -> Result<wire::PresetBody, Unreadable> {
    let mut whole = preset.body.clone();
    whole["name"] = preset.name.as_str().into();
    serde_json::from_value(whole).map_err(|cause| Unreadable { preset: preset.id.clone(), cause })
}

/// The part of a stored preset that a session enforces.
pub fn permissions(preset: &Preset) -> Result<salon_core::Preset, Unreadable> {
    Ok(enforced(preset.id.clone(), read(preset)?))
}

/// The same of one that was read. What it may leave out, and does, is as clients assume it.
fn enforced(id: PresetId, body: wire::PresetBody) -> salon_core::Preset {
    let wire::PresetBody { name, config, permissions, ui: _ } = body;
    let defaults = salon_core::Preset::named(id.clone(), &name);
    // Quality levels of livestreams and recordings are of features to come; streams shown are the client's own bound.
    let wire::PresetConfig {
        view_type,
        max_video_streams: _,
        max_screenshare_count,
        media: quality,
        livestream_viewer_qualities: _,
        track_recording: _,
    } = config;
    let wire::PresetPermissions {
        waiting_room_type,
        accept_waiting_requests,
        kick_participant,
        pin_participant,
        can_spotlight,
        disable_participant_audio,
        disable_participant_video,
        disable_participant_screensharing,
        can_change_participant_permissions,
        can_edit_display_name,
        // The list is the client's to show or not; nothing is streamed here.
        show_participant_list: _,
        hidden_participant,
        media,
        can_accept_production_requests,
        stage_enabled,
        stage_access,
        accept_stage_requests,
        chat: wire::PermissionsChat { public, private },
        polls: wire::PermissionsPolls { can_create, can_vote, can_view },
        plugins: wire::PermissionsPlugins { can_start, can_close, can_edit_config: _, config: _ },
        connected_meetings:
            wire::PermissionsConnectedMeetings {
                can_alter_connected_meetings,
                can_switch_connected_meetings,
                can_switch_to_parent_meeting,
            },
        can_record,
        can_livestream,
        transcription_enabled,
        recorder_type,
        is_recorder,
    } = permissions;
    salon_core::Preset {
        id,
        name,
        view_type: match view_type {
            wire::ViewType::GroupCall => ViewType::GroupCall,
            wire::ViewType::Webinar => ViewType::Webinar,
            wire::ViewType::AudioRoom => ViewType::AudioRoom,
            wire::ViewType::Livestream => ViewType::Livestream,
        },
        entry: match waiting_room_type {
            wire::WaitingRoomType::Skip => Entry::Skip,
            wire::WaitingRoomType::OnPrivilegedUserEntry => Entry::OnPrivilegedEntry,
            wire::WaitingRoomType::SkipOnAccept => Entry::OnAccept,
        },
        recorder: match recorder_type {
            wire::RecorderType::Recorder => Recorder::Recorder,
            wire::RecorderType::Livestreamer => Recorder::Livestreamer,
            wire::RecorderType::None if is_recorder.unwrap_or(false) => Recorder::Recorder,
            wire::RecorderType::None => Recorder::None,
        },
        hidden: hidden_participant,
        accept_waiting_requests,
        kick_participant,
        pin_participant,
        disable_audio: disable_participant_audio,
        disable_video: disable_participant_video,
        disable_screenshare: disable_participant_screensharing,
        can_edit_display_name,
        can_record,
        transcription: transcription_enabled.unwrap_or(defaults.transcription),
        can_livestream,
        change_permissions: can_change_participant_permissions,
        can_spotlight,
        audio: can_produce(media.audio.can_produce),
        video: can_produce(media.video.can_produce),
        screenshare: can_produce(media.screenshare.can_produce),
        stage_enabled: stage_enabled.unwrap_or(defaults.stage_enabled),
        stage_access: stage_access.map(can_produce),
        accept_stage_requests: accept_stage_requests.unwrap_or(defaults.accept_stage_requests),
        accept_production_requests: can_accept_production_requests,
        polls: PollPermissions { can_create, can_vote, can_view },
        plugins: PluginPermissions { can_start, can_close },
        connected: ConnectedPermissions {
            can_alter: can_alter_connected_meetings,
            can_switch: can_switch_connected_meetings,
            can_switch_to_parent: can_switch_to_parent_meeting,
        },
        public_chat: PublicChat { can_send: public.can_send, text: public.text, files: public.files },
        private_chat: PrivateChat {
            can_send: private.can_send,
            can_receive: private.can_receive,
            text: private.text,
            files: private.files,
        },
        max_screenshares: max_screenshare_count as usize,
        media: media_quality(quality),
    }
}

fn media_quality(quality: wire::ConfigMedia) -> MediaQuality {
    let wire::ConfigMedia { video, screenshare, audio } = quality;
    let size = |quality| match quality {
        wire::VideoQuality::Qvga => PictureSize::Qvga,
        wire::VideoQuality::Vga => PictureSize::Vga,
        wire::VideoQuality::Hd => PictureSize::Hd,
        wire::VideoQuality::Fhd => PictureSize::Fhd,
        wire::VideoQuality::Uhd => PictureSize::Uhd,
    };
    let rate = |rate: f64| rate.clamp(0.0, 1_000.0).ceil() as u32;
    let audio = audio.unwrap_or(wire::ConfigAudio { enable_stereo: None, enable_high_bitrate: None });
    MediaQuality {
        camera: size(video.quality),
        camera_frame_rate: rate(video.frame_rate),
        screen: size(screenshare.quality),
        screen_frame_rate: rate(screenshare.frame_rate),
        stereo: audio.enable_stereo.unwrap_or(false),
        high_bitrate: audio.enable_high_bitrate.unwrap_or(false),
    }
}

fn can_produce(leave: wire::MediaPermission) -> CanProduce {
    match leave {
        wire::MediaPermission::Allowed => CanProduce::Allowed,
        wire::MediaPermission::NotAllowed => CanProduce::NotAllowed,
        wire::MediaPermission::CanRequest => CanProduce::CanRequest,
    }
}

/// Lays what was changed during a call over the permissions of a preset.
pub fn lay_over(permissions: &mut wire::PresetPermissions, changes: &Changes) {
    for (flag, value) in &changes.flags {
        *flag_of(permissions, *flag) = *value;
    }
    for (source, leave) in &changes.media {
        let media = &mut permissions.media;
        let of = match source {
            Source::Microphone => &mut media.audio,
            Source::Camera => &mut media.video,
            Source::Screen => &mut media.screenshare,
        };
        of.can_produce = match leave {
            CanProduce::Allowed => wire::MediaPermission::Allowed,
            CanProduce::NotAllowed => wire::MediaPermission::NotAllowed,
            CanProduce::CanRequest => wire::MediaPermission::CanRequest,
        };
    }
    if let Some(entry) = changes.entry {
        permissions.waiting_room_type = match entry {
            Entry::Skip => wire::WaitingRoomType::Skip,
            Entry::OnPrivilegedEntry => wire::WaitingRoomType::OnPrivilegedUserEntry,
            Entry::OnAccept => wire::WaitingRoomType::SkipOnAccept,
        };
    }
}

/// Where a preset has a flag.
fn flag_of(permissions: &mut wire::PresetPermissions, flag: Flag) -> &mut bool {
    match flag {
        Flag::AcceptWaitingRequests => &mut permissions.accept_waiting_requests,
        Flag::AcceptProductionRequests => &mut permissions.can_accept_production_requests,
        Flag::EditDisplayName => &mut permissions.can_edit_display_name,
        Flag::Record => &mut permissions.can_record,
        Flag::Livestream => &mut permissions.can_livestream,
        Flag::Spotlight => &mut permissions.can_spotlight,
        Flag::DisableAudio => &mut permissions.disable_participant_audio,
        Flag::DisableVideo => &mut permissions.disable_participant_video,
        Flag::DisableScreenshare => &mut permissions.disable_participant_screensharing,
        Flag::KickParticipant => &mut permissions.kick_participant,
        Flag::PinParticipant => &mut permissions.pin_participant,
        Flag::Transcription => permissions.transcription_enabled.get_or_insert(false),
        Flag::ShowParticipantList => &mut permissions.show_participant_list,
        Flag::ChangePermissions => &mut permissions.can_change_participant_permissions,
        Flag::PollsCreate => &mut permissions.polls.can_create,
        Flag::PollsVote => &mut permissions.polls.can_vote,
        Flag::PollsView => &mut permissions.polls.can_view,
        Flag::PluginsStart => &mut permissions.plugins.can_start,
        Flag::PluginsClose => &mut permissions.plugins.can_close,
        Flag::PublicChatSend => &mut permissions.chat.public.can_send,
        Flag::PublicChatText => &mut permissions.chat.public.text,
        Flag::PublicChatFiles => &mut permissions.chat.public.files,
        Flag::PrivateChatSend => &mut permissions.chat.private.can_send,
        Flag::PrivateChatReceive => &mut permissions.chat.private.can_receive,
        Flag::PrivateChatText => &mut permissions.chat.private.text,
        Flag::PrivateChatFiles => &mut permissions.chat.private.files,
        Flag::AlterConnectedMeetings => &mut permissions.connected_meetings.can_alter_connected_meetings,
        Flag::SwitchConnectedMeetings => &mut permissions.connected_meetings.can_switch_connected_meetings,
        Flag::SwitchToParentMeeting => &mut permissions.connected_meetings.can_switch_to_parent_meeting,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(name: &str) -> Preset {
        let app = AppId::parse("dev").unwrap();
        defaults(&app, Timestamp(1)).into_iter().find(|preset| preset.name == name).unwrap()
    }

    fn enforced(preset: &Preset) -> salon_core::Preset {
        permissions(preset).unwrap()
    }

    #[test]
    fn the_seven_are_listed_in_their_order() {
        let mut presets = defaults(&AppId::parse("dev").unwrap(), Timestamp(1));
        presets.sort_by(|a, b| b.id.cmp(&a.id));
        let names: Vec<_> = presets.iter().map(|preset| preset.name.as_str()).collect();
        assert_eq!(names.len(), 7);
        assert_eq!((names[0], names[6]), ("group_call_host", "livestream_viewer"));
    }

    #[test]
    fn what_a_session_enforces_follows_the_json() {
        let host = enforced(&named("group_call_host"));
        assert!(host.kick_participant && host.accept_waiting_requests && host.disable_audio);
        assert_eq!((host.view_type, host.entry, host.max_screenshares), (ViewType::GroupCall, Entry::Skip, 1));
        let guest = enforced(&named("group_call_guest"));
        assert!(!guest.kick_participant && guest.can_edit_display_name);
        assert_eq!(guest.entry, Entry::OnAccept);
        let viewer = enforced(&named("webinar_viewer"));
        assert_eq!((viewer.view_type, viewer.audio), (ViewType::Webinar, CanProduce::CanRequest));
        assert_eq!(viewer.stage_access, Some(CanProduce::CanRequest));
        assert!(viewer.stage_enabled && !viewer.joins_on_stage());
    }

    #[test]
    fn how_good_media_may_be_follows_the_json() {
        let mut preset = named("group_call_host");
        assert_eq!(enforced(&preset).media, MediaQuality::default());
        preset.body["config"]["media"] = json!({
            "video": { "quality": "qvga", "frame_rate": 14.5 },
            "screenshare": { "quality": "uhd", "frame_rate": 60 },
            "audio": { "enable_stereo": true },
        });
        let expected = MediaQuality {
            camera: PictureSize::Qvga,
            camera_frame_rate: 15,
            screen: PictureSize::Uhd,
            screen_frame_rate: 60,
            stereo: true,
            high_bitrate: false,
        };
        assert_eq!(enforced(&preset).media, expected);
    }

    #[test]
    fn what_is_not_said_is_as_clients_assume() {
        let mut bare = named("group_call_host");
        let assumed = salon_core::Preset::named(bare.id.clone(), "group_call_host");
        for left_out in ["stage_enabled", "stage_access", "accept_stage_requests", "is_recorder", "transcription_enabled"] {
            bare.body["permissions"].as_object_mut().unwrap().remove(left_out);
        }
        bare.body["config"]["media"].as_object_mut().unwrap().remove("audio");
        let read = enforced(&bare);
        assert_eq!(
            (read.stage_enabled, read.stage_access, read.accept_stage_requests, read.recorder, read.media),
            (assumed.stage_enabled, assumed.stage_access, assumed.accept_stage_requests, assumed.recorder, assumed.media)
        );
        bare.body["permissions"]["is_recorder"] = true.into();
        assert_eq!(enforced(&bare).recorder, Recorder::Recorder);
    }

    #[test]
    fn a_body_that_is_no_preset_means_nothing() {
        let mut preset = named("group_call_host");
        preset.body["permissions"].as_object_mut().unwrap().remove("kick_participant");
        let error = permissions(&preset).expect_err("it does not say whether people may be kicked").to_string();
        assert!(error.contains("missing field `kick_participant`"), "{error}");
        let empty = Preset { body: json!({}), ..preset };
        assert!(permissions(&empty).is_err());
    }

    #[test]
    fn every_change_is_where_events_say_that_presets_have_it() {
        let at = |json: &serde_json::Value, path: &str| path.split('.').fold(json.clone(), |json, key| json[key].clone());
        for flag in Flag::ALL {
            for value in [true, false] {
                let mut changed = read(&named("group_call_host")).unwrap().permissions;
                lay_over(&mut changed, &Changes { flags: [(*flag, value)].into(), ..Changes::default() });
                assert_eq!(at(&serde_json::to_value(changed).unwrap(), flag.path()), value, "{flag:?}");
            }
        }
        for source in Source::ALL {
            let mut changed = read(&named("group_call_host")).unwrap().permissions;
            lay_over(&mut changed, &Changes { media: [(*source, CanProduce::CanRequest)].into(), ..Changes::default() });
            assert_eq!(at(&serde_json::to_value(changed).unwrap(), source.path()), "CAN_REQUEST", "{source:?}");
        }
        let mut changed = read(&named("group_call_host")).unwrap().permissions;
        lay_over(&mut changed, &Changes { entry: Some(Entry::OnAccept), ..Changes::default() });
        assert_eq!(changed.waiting_room_type, wire::WaitingRoomType::SkipOnAccept);
    }
}

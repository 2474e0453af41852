//! The seven presets a new app starts with. Their names are those of the service Salon speaks the language of;
//! it publishes no contents, so these follow the names' roles over what clients assume when nothing is said.
//! Nothing here makes a client fetch anything from outside, such as a font.

use std::collections::BTreeMap;

use super::presets::*;

/// Fresh copies of the seven presets, in the order lists show them.
pub fn default_presets() -> [PresetBody; 7] {
    use MediaPermission::{Allowed, CanRequest};
    use ViewType::{GroupCall, Livestream, Webinar};

    let group_call_host = host(preset("group_call_host", GroupCall, Allowed));

    let mut group_call_participant = preset("group_call_participant", GroupCall, Allowed);
    group_call_participant.permissions.chat.private = private_chat(true);
    group_call_participant.permissions.connected_meetings.can_switch_connected_meetings = true;
    group_call_participant.permissions.connected_meetings.can_switch_to_parent_meeting = true;

    let mut group_call_guest = preset("group_call_guest", GroupCall, Allowed);
    group_call_guest.permissions.waiting_room_type = WaitingRoomType::SkipOnAccept;
    group_call_guest.permissions.polls.can_create = false;

    let webinar_presenter = host(on_stage(preset("webinar_presenter", Webinar, Allowed)));
    let webinar_viewer = viewer(preset("webinar_viewer", Webinar, CanRequest));

    let mut livestream_host = host(on_stage(preset("livestream_host", Livestream, Allowed)));
    livestream_host.permissions.connected_meetings = connected_meetings(false);
    let livestream_viewer = viewer(preset("livestream_viewer", Livestream, CanRequest));

    [
        group_call_host,
        group_call_participant,
        group_call_guest,
        webinar_presenter,
        webinar_viewer,
        livestream_host,
        livestream_viewer,
    ]
}

/// What clients assume of a preset that says nothing, and nothing that a preset may leave out.
pub fn assumed_preset(name: &str) -> PresetBody {
    let mut preset = preset(name, ViewType::GroupCall, MediaPermission::Allowed);
    preset.config.media.video.simulcast = None;
    preset.config.media.audio = None;
    preset.permissions.stage_enabled = None;
    preset.ui.design_tokens.font_family = None;
    preset
}

/// As what a recorder comes in: unseen, and free to do nothing but watch.
pub fn robot_preset() -> PresetBody {
    let mut preset = preset("recorder", ViewType::GroupCall, MediaPermission::NotAllowed);
    let permissions = &mut preset.permissions;
    permissions.can_edit_display_name = false;
    permissions.hidden_participant = true;
    permissions.chat.public = PermissionsPublicChat { can_send: false, text: false, files: false };
    permissions.polls = PermissionsPolls { can_create: false, can_vote: false, can_view: false };
    permissions.plugins.can_start = false;
    permissions.plugins.can_close = false;
    permissions.recorder_type = RecorderType::Recorder;
    preset
}

/// Runs the meeting: admits, removes, mutes, records, and moves people between rooms.
fn host(mut preset: PresetBody) -> PresetBody {
    let permissions = &mut preset.permissions;
    permissions.accept_waiting_requests = true;
    permissions.kick_participant = true;
    permissions.pin_participant = true;
    permissions.can_spotlight = true;
    permissions.disable_participant_audio = true;
    permissions.disable_participant_video = true;
    permissions.disable_participant_screensharing = true;
    permissions.can_change_participant_permissions = true;
    permissions.can_accept_production_requests = true;
    permissions.can_record = true;
    permissions.can_livestream = true;
    permissions.chat.private = private_chat(true);
    permissions.connected_meetings = connected_meetings(true);
    preset
}

/// Steps onto the stage unasked and lets others up.
fn on_stage(mut preset: PresetBody) -> PresetBody {
    preset.permissions.stage_enabled = Some(true);
    preset.permissions.stage_access = Some(MediaPermission::Allowed);
    preset.permissions.accept_stage_requests = Some(true);
    preset
}

/// Watches, and may ask to step onto the stage.
fn viewer(mut preset: PresetBody) -> PresetBody {
    preset.permissions.stage_enabled = Some(true);
    preset.permissions.stage_access = Some(MediaPermission::CanRequest);
    preset.permissions.accept_stage_requests = Some(false);
    preset.permissions.polls.can_create = false;
    preset
}

/// What clients assume when nothing is said. Simulcast is the exception: they leave it off, but calls and presenters,
/// whose video many people watch in different sizes, need it on.
fn preset(name: &str, view_type: ViewType, can_produce: MediaPermission) -> PresetBody {
    let simulcast = match view_type {
        ViewType::GroupCall => true,
        ViewType::Webinar => can_produce == MediaPermission::Allowed,
        ViewType::AudioRoom | ViewType::Livestream => false,
    };
    PresetBody {
        name: name.to_owned(),
        config: PresetConfig {
            view_type,
            max_video_streams: MaxVideoStreams { desktop: 6, mobile: 6 },
            max_screenshare_count: 1,
            media: ConfigMedia {
                video: ConfigVideo { quality: VideoQuality::Vga, frame_rate: 30.0, simulcast: Some(simulcast) },
                screenshare: ConfigScreenshare { quality: VideoQuality::Hd, frame_rate: 5.0 },
                audio: Some(ConfigAudio { enable_stereo: Some(false), enable_high_bitrate: Some(false) }),
            },
            livestream_viewer_qualities: None,
            track_recording: None,
        },
        permissions: PresetPermissions {
            waiting_room_type: WaitingRoomType::Skip,
            accept_waiting_requests: false,
            kick_participant: false,
            pin_participant: false,
            can_spotlight: false,
            disable_participant_audio: false,
            disable_participant_video: false,
            disable_participant_screensharing: false,
            can_change_participant_permissions: false,
            can_edit_display_name: true,
            show_participant_list: true,
            hidden_participant: false,
            media: PermissionsMedia {
                audio: CanProduce { can_produce },
                video: CanProduce { can_produce },
                screenshare: CanProduce { can_produce },
            },
            can_accept_production_requests: false,
            stage_enabled: Some(false),
            stage_access: None,
            accept_stage_requests: None,
            chat: PermissionsChat {
                public: PermissionsPublicChat { can_send: true, text: true, files: true },
                private: private_chat(false),
            },
            polls: PermissionsPolls { can_create: true, can_vote: true, can_view: true },
            plugins: PermissionsPlugins { can_start: true, can_close: true, can_edit_config: false, config: BTreeMap::new() },
            connected_meetings: connected_meetings(false),
            can_record: false,
            can_livestream: false,
            transcription_enabled: None,
            recorder_type: RecorderType::None,
            is_recorder: None,
        },
        ui: PresetUi { design_tokens: look(), config_diff: None },
    }
}

fn private_chat(allowed: bool) -> PermissionsPrivateChat {
    PermissionsPrivateChat { can_send: allowed, can_receive: allowed, text: allowed, files: allowed }
}

fn connected_meetings(allowed: bool) -> PermissionsConnectedMeetings {
    PermissionsConnectedMeetings {
        can_alter_connected_meetings: allowed,
        can_switch_connected_meetings: allowed,
        can_switch_to_parent_meeting: allowed,
    }
}

fn look() -> DesignTokens {
    DesignTokens {
        border_radius: BorderRadius::Rounded,
        border_width: BorderWidth::Thin,
        spacing_base: 4.0,
        theme: Theme::Dark,
        logo: None,
        font_family: Some("system-ui".to_owned()),
        google_font: None,
        colors: Colors {
            brand: BrandColors {
                shade_300: "#7197FE".to_owned(),
                shade_400: "#497CFD".to_owned(),
                shade_500: "#2160FD".to_owned(),
                shade_600: "#0D4AE0".to_owned(),
                shade_700: "#0A3CB5".to_owned(),
            },
            background: BackgroundColors {
                shade_600: "#222222".to_owned(),
                shade_700: "#1F1F1F".to_owned(),
                shade_800: "#1B1B1B".to_owned(),
                shade_900: "#181818".to_owned(),
                shade_1000: "#141414".to_owned(),
            },
            danger: "#FF2D2D".to_owned(),
            success: "#62A504".to_owned(),
            warning: "#FFCD07".to_owned(),
            text: "#EEEEEE".to_owned(),
            text_on_brand: "#EEEEEE".to_owned(),
            video_bg: "#191919".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_back_as_strict_request_bodies() {
        for preset in default_presets() {
            let text = serde_json::to_string(&preset).expect("plain data");
            assert!(!text.contains("google_font") && !text.contains("http"), "{text}");
            assert_eq!(serde_json::from_str::<PresetBody>(&text).expect("our own body"), preset);
        }
    }

    #[test]
    fn simulcast_is_on_for_calls_and_presenters() {
        let on: Vec<String> = default_presets()
            .into_iter()
            .filter(|preset| preset.config.media.video.simulcast == Some(true))
            .map(|preset| preset.name)
            .collect();
        assert_eq!(on, ["group_call_host", "group_call_participant", "group_call_guest", "webinar_presenter"]);
    }

    #[test]
    fn a_stray_key_is_refused_at_any_depth() {
        let [preset, ..] = default_presets();
        let whole = serde_json::to_value(&preset).expect("plain data");
        for path in ["", "/config", "/config/media/video", "/permissions/chat/public", "/ui/design_tokens/colors"] {
            let mut strayed = whole.clone();
            strayed.pointer_mut(path).expect("every preset has it")["stray"] = true.into();
            assert!(serde_json::from_value::<PresetBody>(strayed).is_err(), "{path}");
        }
    }
}

//! Presets over REST, and what a stored preset means to a session.
//! Invariant: a stored body is one that `PresetBody` reads, of at most `MAX_BYTES`; `PATCH` merges, then reads it again.
//! Next: `participants.rs`, which names presets.

use axum::extract::State;
use salon_core::permission::Changes;
use salon_core::preset::{
    CanProduce, ConnectedPermissions, Entry, MediaQuality, PictureSize, PluginPermissions, PollPermissions, PrivateChat,
    PublicChat, Recorder, ViewType,
};
use salon_core::{AppId, PresetId, Timestamp};
use salon_store::{Error as StoreError, Preset, Rule};
use salon_wire::rest::default_presets::default_presets;
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::presets as wire;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::app::App;
use crate::clock::rfc3339;
use crate::rest::Rest;
use crate::rest::auth::Caller;
use crate::rest::body::{Body, JsonObject, read};
use crate::rest::check::{merge, text};
use crate::rest::error::ApiError;
use crate::rest::path::{At, fresh_id};
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};

/// The largest preset, as JSON. Every client gets its preset whole when it joins.
const MAX_BYTES: usize = 64 * 1024;

/// Longest name of a preset, in characters.
pub const MAX_NAME_CHARS: usize = 128;

/// The presets a new app starts with. Lists show the newest first, so the first of the seven is made last.
pub fn defaults(app: &AppId, now: Timestamp) -> Vec<Preset> {
    default_presets().into_iter().rev().map(|body| stored(app, fresh_id(), body, now)).collect()
}

/// The part of a preset that a session enforces. What the JSON does not say is as clients assume it.
pub fn permissions(preset: &Preset) -> salon_core::Preset {
    let defaults = salon_core::Preset::named(preset.id.clone(), &preset.name);
    let allows = |name: &str, default: bool| preset.body["permissions"][name].as_bool().unwrap_or(default);
    let within = |part: &str, name: &str, default: bool| preset.body["permissions"][part][name].as_bool().unwrap_or(default);
    let produce = |kind: &str| can_produce(&preset.body["permissions"]["media"][kind]["can_produce"]);
    let chat =
        |whom: &str, name: &str, default: bool| preset.body["permissions"]["chat"][whom][name].as_bool().unwrap_or(default);
    let config = &preset.body["config"];
    salon_core::Preset {
        view_type: match config["view_type"].as_str() {
            Some("WEBINAR") => ViewType::Webinar,
            Some("AUDIO_ROOM") => ViewType::AudioRoom,
            Some("LIVESTREAM") => ViewType::Livestream,
            _ => ViewType::GroupCall,
        },
        entry: match preset.body["permissions"]["waiting_room_type"].as_str() {
            Some("ON_PRIVILEGED_USER_ENTRY") => Entry::OnPrivilegedEntry,
            Some("SKIP_ON_ACCEPT") => Entry::OnAccept,
            _ => Entry::Skip,
        },
        recorder: match preset.body["permissions"]["recorder_type"].as_str() {
            Some("RECORDER") => Recorder::Recorder,
            Some("LIVESTREAMER") => Recorder::Livestreamer,
            _ if allows("is_recorder", false) => Recorder::Recorder,
            _ => Recorder::None,
        },
        hidden: allows("hidden_participant", defaults.hidden),
        accept_waiting_requests: allows("accept_waiting_requests", defaults.accept_waiting_requests),
        kick_participant: allows("kick_participant", defaults.kick_participant),
        pin_participant: allows("pin_participant", defaults.pin_participant),
        disable_audio: allows("disable_participant_audio", defaults.disable_audio),
        disable_video: allows("disable_participant_video", defaults.disable_video),
        disable_screenshare: allows("disable_participant_screensharing", defaults.disable_screenshare),
        can_edit_display_name: allows("can_edit_display_name", defaults.can_edit_display_name),
        change_permissions: allows("can_change_participant_permissions", defaults.change_permissions),
        can_spotlight: allows("can_spotlight", defaults.can_spotlight),
        public_chat: PublicChat {
            can_send: chat("public", "can_send", defaults.public_chat.can_send),
            text: chat("public", "text", defaults.public_chat.text),
            files: chat("public", "files", defaults.public_chat.files),
        },
        private_chat: PrivateChat {
            can_send: chat("private", "can_send", defaults.private_chat.can_send),
            can_receive: chat("private", "can_receive", defaults.private_chat.can_receive),
            text: chat("private", "text", defaults.private_chat.text),
            files: chat("private", "files", defaults.private_chat.files),
        },
        audio: produce("audio").unwrap_or(defaults.audio),
        video: produce("video").unwrap_or(defaults.video),
        screenshare: produce("screenshare").unwrap_or(defaults.screenshare),
        stage_enabled: allows("stage_enabled", defaults.stage_enabled),
        accept_stage_requests: allows("accept_stage_requests", defaults.accept_stage_requests),
        accept_production_requests: allows("can_accept_production_requests", defaults.accept_production_requests),
        connected: ConnectedPermissions {
            can_alter: within("connected_meetings", "can_alter_connected_meetings", defaults.connected.can_alter),
            can_switch: within("connected_meetings", "can_switch_connected_meetings", defaults.connected.can_switch),
            can_switch_to_parent: within(
                "connected_meetings",
                "can_switch_to_parent_meeting",
                defaults.connected.can_switch_to_parent,
            ),
        },
        polls: PollPermissions {
            can_create: within("polls", "can_create", defaults.polls.can_create),
            can_vote: within("polls", "can_vote", defaults.polls.can_vote),
            can_view: within("polls", "can_view", defaults.polls.can_view),
        },
        plugins: PluginPermissions {
            can_start: within("plugins", "can_start", defaults.plugins.can_start),
            can_close: within("plugins", "can_close", defaults.plugins.can_close),
        },
        stage_access: can_produce(&preset.body["permissions"]["stage_access"]),
        max_screenshares: config["max_screenshare_count"]
            .as_f64()
            .map_or(defaults.max_screenshares, |count| count.max(0.0) as usize),
        media: media_quality(&config["media"], defaults.media),
        ..defaults
    }
}

/// Lays what was changed during a call over the body of a preset.
pub fn lay_over(body: &mut Value, changes: &Changes) {
    let mut set = |path: &str, value: Value| {
        let nested = path.rsplit('.').fold(value, |value, key| json!({ key: value }));
        merge(body, json!({ "permissions": nested }));
    };
    for (flag, value) in &changes.flags {
        set(flag.path(), json!(value));
    }
    for (source, leave) in &changes.media {
        set(
            source.path(),
            json!(match leave {
                CanProduce::Allowed => "ALLOWED",
                CanProduce::NotAllowed => "NOT_ALLOWED",
                CanProduce::CanRequest => "CAN_REQUEST",
            }),
        );
    }
    if let Some(entry) = changes.entry {
        set(
            "waiting_room_type",
            json!(match entry {
                Entry::Skip => "SKIP",
                Entry::OnPrivilegedEntry => "ON_PRIVILEGED_USER_ENTRY",
                Entry::OnAccept => "SKIP_ON_ACCEPT",
            }),
        );
    }
}

fn media_quality(media: &Value, defaults: MediaQuality) -> MediaQuality {
    let size = |kind: &str| match media[kind]["quality"].as_str()? {
        "qvga" => Some(PictureSize::Qvga),
        "vga" => Some(PictureSize::Vga),
        "hd" => Some(PictureSize::Hd),
        "fhd" => Some(PictureSize::Fhd),
        "uhd" => Some(PictureSize::Uhd),
        _ => None,
    };
    let rate = |kind: &str| media[kind]["frame_rate"].as_f64().map(|rate| rate.clamp(0.0, 1_000.0).ceil() as u32);
    let flag = |name: &str| media["audio"][name].as_bool().unwrap_or(false);
    MediaQuality {
        camera: size("video").unwrap_or(defaults.camera),
        camera_frame_rate: rate("video").unwrap_or(defaults.camera_frame_rate),
        screen: size("screenshare").unwrap_or(defaults.screen),
        screen_frame_rate: rate("screenshare").unwrap_or(defaults.screen_frame_rate),
        stereo: flag("enable_stereo"),
        high_bitrate: flag("enable_high_bitrate"),
    }
}

fn can_produce(value: &Value) -> Option<CanProduce> {
    match value.as_str()? {
        "ALLOWED" => Some(CanProduce::Allowed),
        "NOT_ALLOWED" => Some(CanProduce::NotAllowed),
        "CAN_REQUEST" => Some(CanProduce::CanRequest),
        _ => None,
    }
}

/// The presets of an app, newest first.
#[utoipa::path(get, path = "/presets", tag = "presets", params(wire::PresetsQuery),
    responses((status = 200, body = Page<Vec<wire::PresetListItem>>), (status = 400, body = ErrorBody)))]
pub async fn list(State(rest): State<Rest>, caller: Caller, asked: Asked) -> Listed<Vec<wire::PresetListItem>> {
    let wanted = asked.page(&rest.app.config)?;
    let found = rest.app.store.presets(&caller.app, &wanted).await?;
    let items = found.items.into_iter().map(|preset| wire::PresetListItem {
        id: preset.id.to_string(),
        name: preset.name,
        created_at: rfc3339(preset.created_at),
        updated_at: rfc3339(preset.updated_at),
    });
    let items: Vec<_> = items.collect();
    let paging = paging(&wanted, items.len(), found.total);
    page(items, paging)
}

/// Makes a preset.
#[utoipa::path(post, path = "/presets", tag = "presets", request_body = wire::PresetBody,
    responses((status = 200, body = Envelope<wire::Preset>), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn create(State(app): State<Arc<App>>, caller: Caller, Body(body): Body<wire::PresetBody>) -> Answer<wire::Preset> {
    check(&body)?;
    let preset = stored(&caller.app, fresh_id(), body, app.clock.now());
    app.store.create_preset(&preset).await.map_err(|error| refused(error, &preset))?;
    data(to_wire(preset)?)
}

/// One preset, whole.
#[utoipa::path(get, path = "/presets/{preset_id}", tag = "presets",
    params(("preset_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Preset>), (status = 404, body = ErrorBody)))]
pub async fn show(State(app): State<Arc<App>>, caller: Caller, At(id): At<PresetId>) -> Answer<wire::Preset> {
    data(to_wire(find(&app, &caller, &id).await?)?)
}

/// Changes what is sent, at any depth.
#[utoipa::path(patch, path = "/presets/{preset_id}", tag = "presets", request_body = wire::PresetPatch,
    params(("preset_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Preset>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn update(
    State(rest): State<Rest>,
    caller: Caller,
    At(id): At<PresetId>,
    JsonObject(patch): JsonObject,
) -> Answer<wire::Preset> {
    let app = &rest.app;
    let _turn = rest.edits.turn(id.as_str()).await;
    let preset = find(app, &caller, &id).await?;
    let mut whole = preset.body;
    whole["name"] = preset.name.into();
    merge(&mut whole, Value::Object(patch));
    let body: wire::PresetBody = read(&whole)?;
    check(&body)?;
    let changed = stored(&caller.app, id, body, app.clock.now().max(preset.updated_at));
    let changed = Preset { created_at: preset.created_at, ..changed };
    app.store.update_preset(&changed).await.map_err(|error| refused(error, &changed))?;
    data(to_wire(changed)?)
}

/// Replaces a preset.
#[utoipa::path(put, path = "/presets/{preset_id}", tag = "presets", request_body = wire::PresetBody,
    params(("preset_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Preset>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn replace(
    State(rest): State<Rest>,
    caller: Caller,
    At(id): At<PresetId>,
    Body(body): Body<wire::PresetBody>,
) -> Answer<wire::Preset> {
    check(&body)?;
    let app = &rest.app;
    let _turn = rest.edits.turn(id.as_str()).await;
    let preset = find(app, &caller, &id).await?;
    let changed = stored(&caller.app, id, body, app.clock.now().max(preset.updated_at));
    let changed = Preset { created_at: preset.created_at, ..changed };
    app.store.update_preset(&changed).await.map_err(|error| refused(error, &changed))?;
    data(to_wire(changed)?)
}

/// Deletes a preset that no participant has, and answers with it.
#[utoipa::path(delete, path = "/presets/{preset_id}", tag = "presets",
    params(("preset_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Preset>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn delete(State(app): State<Arc<App>>, caller: Caller, At(id): At<PresetId>) -> Answer<wire::Preset> {
    let deleted = app.store.delete_preset(&caller.app, &id).await.map_err(|error| match error {
        StoreError::NotFound => unknown(&id),
        StoreError::Conflict(Rule::PresetInUse) => {
            ApiError::unprocessable(format!("Preset {id} is used by participants and cannot be deleted"))
        }
        other => other.into(),
    })?;
    data(to_wire(deleted)?)
}

async fn find(app: &App, caller: &Caller, id: &PresetId) -> Result<Preset, ApiError> {
    app.store.preset(&caller.app, id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: &PresetId) -> ApiError {
    ApiError::not_found(format!("No preset found with id {id}"))
}

fn refused(error: StoreError, preset: &Preset) -> ApiError {
    match error {
        StoreError::Conflict(Rule::PresetName) => {
            ApiError::conflict(format!("A preset with name {} already exists", preset.name))
        }
        StoreError::NotFound => unknown(&preset.id),
        other => other.into(),
    }
}

/// The bounds that the types do not hold.
fn check(body: &wire::PresetBody) -> Result<(), ApiError> {
    text("name", &body.name, 1, MAX_NAME_CHARS)?;
    if !(0.0..=30.0).contains(&body.config.media.video.frame_rate) {
        return Err(ApiError::invalid("config.media.video.frame_rate", "must be between 0 and 30"));
    }
    if !(0.0..=120.0).contains(&body.config.media.screenshare.frame_rate) {
        return Err(ApiError::invalid("config.media.screenshare.frame_rate", "must be between 0 and 120"));
    }
    let bytes = serde_json::to_vec(body).map_or(0, |json| json.len());
    if bytes > MAX_BYTES {
        return Err(ApiError::bad_request(format!("the preset must not be larger than {MAX_BYTES} bytes")));
    }
    Ok(())
}

fn stored(app: &AppId, id: PresetId, body: wire::PresetBody, now: Timestamp) -> Preset {
    let mut json = serde_json::to_value(&body).expect("a preset is plain data");
    if let Some(parts) = json.as_object_mut() {
        // The name is a column of its own: it is unique, and searched.
        parts.remove("name");
    }
    Preset { id, app: app.clone(), name: body.name, body: json, created_at: now, updated_at: now }
}

fn to_wire(preset: Preset) -> Result<wire::Preset, ApiError> {
    let parts = parts(&preset)?;
    Ok(wire::Preset {
        id: preset.id.to_string(),
        name: preset.name,
        config: parts.config,
        permissions: parts.permissions,
        ui: parts.ui,
        created_at: rfc3339(preset.created_at),
        updated_at: rfc3339(preset.updated_at),
    })
}

/// The stored body, read back as the type that was stored.
pub fn parts(preset: &Preset) -> Result<wire::PresetBody, ApiError> {
    let mut whole = preset.body.clone();
    whole["name"] = preset.name.as_str().into();
    serde_json::from_value(whole)
        .map_err(|error| ApiError::internal(format_args!("preset {} cannot be read: {error}", preset.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Preset {
        let app = AppId::parse("dev").unwrap();
        defaults(&app, Timestamp(1)).into_iter().find(|preset| preset.name == name).unwrap()
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
        let host = permissions(&named("group_call_host"));
        assert!(host.kick_participant && host.accept_waiting_requests && host.disable_audio);
        assert_eq!((host.view_type, host.entry, host.max_screenshares), (ViewType::GroupCall, Entry::Skip, 1));
        let guest = permissions(&named("group_call_guest"));
        assert!(!guest.kick_participant && guest.can_edit_display_name);
        assert_eq!(guest.entry, Entry::OnAccept);
        let viewer = permissions(&named("webinar_viewer"));
        assert_eq!((viewer.view_type, viewer.audio), (ViewType::Webinar, CanProduce::CanRequest));
        assert_eq!(viewer.stage_access, Some(CanProduce::CanRequest));
        assert!(viewer.stage_enabled && !viewer.joins_on_stage());
    }

    #[test]
    fn how_good_media_may_be_follows_the_json() {
        let mut preset = named("group_call_host");
        assert_eq!(permissions(&preset).media, MediaQuality::default());
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
        assert_eq!(permissions(&preset).media, expected);
    }

    #[test]
    fn what_is_not_said_is_as_clients_assume() {
        let bare = Preset { body: serde_json::json!({}), ..named("group_call_host") };
        assert_eq!(permissions(&bare), salon_core::Preset::named(bare.id.clone(), "group_call_host"));
        let robot = Preset { body: serde_json::json!({"permissions": {"is_recorder": true}}), ..named("group_call_host") };
        assert_eq!(permissions(&robot).recorder, Recorder::Recorder);
    }
}

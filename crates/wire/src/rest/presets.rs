//! Presets: `/presets`. Named permissions and look, given to participants by name.
//! Requests are strict: a key that is not here is refused, at every depth but plugin settings.
//! `PATCH` sends any part: the server merges it into the stored body and reads the result as [`PresetBody`].
//! One family of types serves requests, answers and clients. Ready-made ones: `default_presets.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::number;

/// `POST presets` and `PUT presets/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresetBody {
    /// Unique in the app.
    pub name: String,
    /// Kind of meeting and media settings.
    pub config: PresetConfig,
    /// What the person may do.
    pub permissions: PresetPermissions,
    /// Look of the client.
    pub ui: PresetUi,
}

/// `PATCH presets/{id}`: any part of a preset, merged deeply.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct PresetPatch(pub Map<String, Value>);

/// A preset as answered, also when deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Preset {
    /// A UUID.
    #[schema(format = "uuid")]
    pub id: String,
    /// Unique in the app.
    pub name: String,
    /// Kind of meeting and media settings.
    pub config: PresetConfig,
    /// What the person may do.
    pub permissions: PresetPermissions,
    /// Look of the client.
    pub ui: PresetUi,
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
}

/// A preset as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PresetListItem {
    /// A UUID.
    #[schema(format = "uuid")]
    pub id: String,
    /// Unique in the app.
    pub name: String,
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
}

/// `GET presets`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PresetsQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// Part of the name, in any case.
    pub search: Option<String>,
}

/// Kind of meeting and media settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresetConfig {
    /// Kind of meeting.
    pub view_type: ViewType,
    /// Videos shown, and so consumed, at once.
    pub max_video_streams: MaxVideoStreams,
    /// Screen shares at once.
    #[serde(deserialize_with = "number::whole")]
    pub max_screenshare_count: u32,
    /// Quality of what is published.
    pub media: ConfigMedia,
    /// Quality levels for livestream viewers. Null is the same as none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub livestream_viewer_qualities: Option<Vec<i64>>,
    /// Taken and given back as it is: the client's own default preset carries it, the SDK types do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub track_recording: Option<BTreeMap<String, Value>>,
}

/// Kinds of meeting. `AUDIO_ROOM` has no video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ViewType {
    GroupCall,
    Webinar,
    AudioRoom,
    Livestream,
}

/// Videos shown at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxVideoStreams {
    /// On a desktop.
    #[serde(deserialize_with = "number::whole")]
    pub desktop: u32,
    /// On a mobile device.
    #[serde(deserialize_with = "number::whole")]
    pub mobile: u32,
}

/// Quality of what is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigMedia {
    /// Camera.
    pub video: ConfigVideo,
    /// Screen share.
    pub screenshare: ConfigScreenshare,
    /// Microphone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audio: Option<ConfigAudio>,
}

/// Camera settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigVideo {
    /// Picture size.
    pub quality: VideoQuality,
    /// Frames per second.
    #[serde(with = "number")]
    #[schema(maximum = 30)]
    pub frame_rate: f64,
    /// Sends several qualities of one camera; clients leave it off unless true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub simulcast: Option<bool>,
}

/// Screen share settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigScreenshare {
    /// Picture size.
    pub quality: VideoQuality,
    /// Frames per second.
    #[serde(with = "number")]
    pub frame_rate: f64,
}

/// Microphone settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigAudio {
    /// Two channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false, nullable = false)]
    pub enable_stereo: Option<bool>,
    /// Better sound for more bandwidth.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false, nullable = false)]
    pub enable_high_bitrate: Option<bool>,
}

/// Picture sizes, from small to large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VideoQuality {
    Qvga,
    Vga,
    Hd,
    Fhd,
    Uhd,
}

/// What a person may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresetPermissions {
    /// How they enter.
    pub waiting_room_type: WaitingRoomType,
    /// See, admit and refuse people who wait.
    pub accept_waiting_requests: bool,
    /// Remove one or all; removing all ends the session.
    pub kick_participant: bool,
    /// Pin a person for everyone.
    pub pin_participant: bool,
    /// Lead what others look at.
    pub can_spotlight: bool,
    /// Mute others.
    pub disable_participant_audio: bool,
    /// Switch off others' cameras.
    pub disable_participant_video: bool,
    /// Stop others' screen shares.
    pub disable_participant_screensharing: bool,
    /// Change others' permissions during a session.
    pub can_change_participant_permissions: bool,
    /// Change their own display name.
    pub can_edit_display_name: bool,
    /// See who is there.
    pub show_participant_list: bool,
    /// Not shown to others.
    pub hidden_participant: bool,
    /// What they may publish.
    pub media: PermissionsMedia,
    /// Decide who may publish or join the stage.
    pub can_accept_production_requests: bool,
    /// Sees a stage; webinars and livestreams always have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stage_enabled: Option<bool>,
    /// Join the stage. Unset, it follows from `media`: the most that any kind allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stage_access: Option<MediaPermission>,
    /// Decide who may join the stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub accept_stage_requests: Option<bool>,
    /// What they may write and read.
    pub chat: PermissionsChat,
    /// What they may ask and answer.
    pub polls: PermissionsPolls,
    /// What they may open.
    pub plugins: PermissionsPlugins,
    /// Breakout rooms.
    pub connected_meetings: PermissionsConnectedMeetings,
    /// Start and stop recordings.
    pub can_record: bool,
    /// Start and stop livestreams.
    pub can_livestream: bool,
    /// Their speech is transcribed live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub transcription_enabled: Option<bool>,
    /// Marks a bot; clients leave bots out of their lists.
    pub recorder_type: RecorderType,
    /// Older mark of the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false, nullable = false)]
    pub is_recorder: Option<bool>,
}

/// How a person enters: at once, once a privileged person is in, or once somebody admits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WaitingRoomType {
    Skip,
    OnPrivilegedUserEntry,
    SkipOnAccept,
}

/// Kinds of bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecorderType {
    Recorder,
    Livestreamer,
    None,
}

/// Whether something may be published, or the stage joined; `CAN_REQUEST` waits for somebody to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MediaPermission {
    Allowed,
    NotAllowed,
    CanRequest,
}

/// What a person may publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionsMedia {
    /// Microphone.
    pub audio: CanProduce,
    /// Camera.
    pub video: CanProduce,
    /// Screen share.
    pub screenshare: CanProduce,
}

/// Whether one kind of media may be published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CanProduce {
    /// Whether it may be published.
    pub can_produce: MediaPermission,
}

/// What a person may write and read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionsChat {
    /// To everyone.
    pub public: PermissionsPublicChat,
    /// To one person.
    pub private: PermissionsPrivateChat,
}

/// Chat with everyone. Sending a kind needs `can_send` and the kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionsPublicChat {
    /// Write at all.
    pub can_send: bool,
    /// Texts.
    pub text: bool,
    /// Files and images.
    pub files: bool,
}

/// Chat with one person. Sending a kind needs `can_send` and the kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionsPrivateChat {
    /// Write at all.
    pub can_send: bool,
    /// Be written to.
    pub can_receive: bool,
    /// Texts.
    pub text: bool,
    /// Files and images.
    pub files: bool,
}

/// What a person may ask and answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionsPolls {
    /// Make polls.
    pub can_create: bool,
    /// Vote.
    pub can_vote: bool,
    /// See polls and results.
    pub can_view: bool,
}

/// What a person may open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionsPlugins {
    /// Open plugins.
    pub can_start: bool,
    /// Close plugins.
    pub can_close: bool,
    /// Change their settings.
    pub can_edit_config: bool,
    /// Settings by plugin id; clients fail without it, so it may be empty but not missing.
    pub config: BTreeMap<String, PluginConfig>,
}

/// A person's settings in one plugin. Keys of the plugin's own are allowed and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginConfig {
    /// How much of the plugin is open to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub access_control: Option<PluginAccess>,
    /// Whether the plugin itself handles viewers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub handles_view_only: Option<bool>,
    /// Keys of the plugin's own.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// How much of a plugin is open to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PluginAccess {
    FullAccess,
    ViewOnly,
}

/// What a person may do with breakout rooms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionsConnectedMeetings {
    /// Create, change and delete them.
    pub can_alter_connected_meetings: bool,
    /// Move between them.
    pub can_switch_connected_meetings: bool,
    /// Go back to the main meeting.
    pub can_switch_to_parent_meeting: bool,
}

/// Look of the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresetUi {
    /// Colours, spacing and shape.
    pub design_tokens: DesignTokens,
    /// Changes to the client's screens. Clients read it; the newest SDK types leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub config_diff: Option<BTreeMap<String, Value>>,
}

/// Colours, spacing and shape. Colours are CSS text such as `#2160FD`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DesignTokens {
    /// Roundness of corners.
    pub border_radius: BorderRadius,
    /// Thickness of borders.
    pub border_width: BorderWidth,
    /// Unit of all distances, in CSS pixels.
    #[serde(with = "number")]
    #[schema(default = 4)]
    pub spacing_base: f64,
    /// Base theme.
    pub theme: Theme,
    /// Address of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub logo: Option<String>,
    /// CSS font family.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub font_family: Option<String>,
    /// Name of a font that the client fetches from Google.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub google_font: Option<String>,
    /// Colours.
    pub colors: Colors,
}

/// Roundness of corners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BorderRadius {
    Sharp,
    Rounded,
    ExtraRounded,
    Circular,
}

/// Thickness of borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BorderWidth {
    None,
    Thin,
    Fat,
}

/// Base themes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    Darkest,
    Dark,
    Light,
}

/// Colours of the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Colors {
    /// Shades of the accent.
    pub brand: BrandColors,
    /// Shades of the background.
    pub background: BackgroundColors,
    /// Failures and leaving.
    pub danger: String,
    /// Success.
    pub success: String,
    /// Warnings.
    pub warning: String,
    /// Text on the background.
    pub text: String,
    /// Text on the accent.
    pub text_on_brand: String,
    /// Behind a tile without video.
    pub video_bg: String,
}

/// Shades of the accent; a larger number is a darker shade. The keys on the wire are the bare numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrandColors {
    /// Lightest.
    #[serde(rename = "300")]
    pub shade_300: String,
    /// Lighter.
    #[serde(rename = "400")]
    pub shade_400: String,
    /// The accent itself.
    #[serde(rename = "500")]
    pub shade_500: String,
    /// Darker.
    #[serde(rename = "600")]
    pub shade_600: String,
    /// Darkest.
    #[serde(rename = "700")]
    pub shade_700: String,
}

/// Shades of the background; a larger number is a darker shade. The keys on the wire are the bare numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackgroundColors {
    /// Lightest.
    #[serde(rename = "600")]
    pub shade_600: String,
    /// Lighter.
    #[serde(rename = "700")]
    pub shade_700: String,
    /// In the middle.
    #[serde(rename = "800")]
    pub shade_800: String,
    /// Darker.
    #[serde(rename = "900")]
    pub shade_900: String,
    /// Darkest.
    #[serde(rename = "1000")]
    pub shade_1000: String,
}

//! Meetings: `/meetings`. The lasting place; its sessions are in `sessions.rs` and `active_session.rs`.
//! Requests ignore keys they do not know.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ai_config::AiConfig;
use super::number;
use super::recording_config::{RecordingConfig, RecordingConfigBody};

/// `POST meetings` and `PUT meetings/{id}`: what is left out takes its default, so `{}` is a meeting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeetingBody {
    /// Shown as the display name of its sessions. Null is the same as none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A composite recording starts when the first person joins. Null is the same as false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false)]
    pub record_on_start: Option<bool>,
    /// A livestream starts with the session. Null is the same as false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false)]
    pub live_stream_on_start: Option<bool>,
    /// Keeps chat from one session to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false, nullable = false)]
    pub persist_chat: Option<bool>,
    /// Writes a transcript when the session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false, nullable = false)]
    pub transcribe_on_end: Option<bool>,
    /// Writes a summary after the transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false, nullable = false)]
    pub summarize_on_end: Option<bool>,
    /// How long an empty session waits for someone to return, in seconds.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 600, default = 60, nullable = false)]
    pub session_keep_alive_time_in_secs: Option<u32>,
    /// Defaults for recordings of this meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recording_config: Option<RecordingConfigBody>,
    /// Transcription and summary settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ai_config: Option<AiConfig>,
}

/// `PATCH meetings/{id}`: changes what is sent. The only request that takes a status.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeetingPatch {
    /// Shown as the display name of its sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub title: Option<String>,
    /// Whether people may join.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<MeetingStatus>,
    /// A composite recording starts when the first person joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub record_on_start: Option<bool>,
    /// A livestream starts with the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub live_stream_on_start: Option<bool>,
    /// Keeps chat from one session to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub persist_chat: Option<bool>,
    /// Writes a transcript when the session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub transcribe_on_end: Option<bool>,
    /// Writes a summary after the transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub summarize_on_end: Option<bool>,
    /// How long an empty session waits for someone to return, in seconds.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 600, nullable = false)]
    pub session_keep_alive_time_in_secs: Option<u32>,
    /// Defaults for recordings of this meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recording_config: Option<RecordingConfigBody>,
    /// Transcription and summary settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ai_config: Option<AiConfig>,
}

/// A meeting as answered. Lists leave `ai_config` out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Meeting {
    /// A UUID.
    #[schema(format = "uuid")]
    pub id: String,
    /// Shown as the display name of its sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub title: Option<String>,
    /// Whether people may join.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<MeetingStatus>,
    /// A composite recording starts when the first person joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub record_on_start: Option<bool>,
    /// A livestream starts with the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub live_stream_on_start: Option<bool>,
    /// Keeps chat from one session to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub persist_chat: Option<bool>,
    /// Writes a transcript when the session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub transcribe_on_end: Option<bool>,
    /// Writes a summary after the transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub summarize_on_end: Option<bool>,
    /// How long an empty session waits for someone to return, in seconds.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 600, nullable = false)]
    pub session_keep_alive_time_in_secs: Option<u32>,
    /// Defaults for recordings of this meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recording_config: Option<RecordingConfig>,
    /// Transcription and summary settings; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ai_config: Option<AiConfig>,
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
}

/// Whether people may join. `INACTIVE` refuses joins and so new sessions; people already in stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum MeetingStatus {
    Active,
    Inactive,
}

/// `GET meetings`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MeetingsQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// Part of an id or title, in any case.
    pub search: Option<String>,
    /// Made at this time or later.
    #[param(format = "date-time")]
    pub start_time: Option<String>,
    /// Made at this time or earlier.
    #[param(format = "date-time")]
    pub end_time: Option<String>,
    /// Only meetings of this status.
    #[param(inline)]
    pub status: Option<MeetingStatus>,
}

/// `GET meetings/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MeetingQuery {
    /// In the SDK types without a meaning; ignored.
    pub name: Option<String>,
}

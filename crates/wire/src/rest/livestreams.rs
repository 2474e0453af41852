//! Livestreams: `/livestreams`, and those of a meeting. What is marked as ours is beside the contract.
//! Sources: the official SDKs, and the web SDK, which asks for `manual_ingest`.
//! One of a meeting starts anew each time, with a session of its own; one of none has a session each time that something comes.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::envelope::Paging;
use super::recording_config::LiveStreamingConfig;
use super::{nullable, number};

/// What has become of a livestream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LivestreamStatus {
    Live,
    Idle,
    Errored,
    Invoked,
}

/// In which order a list comes. Livestreams have a word of their own for the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum LivestreamOrder {
    #[serde(rename = "ASC")]
    Asc,
    #[serde(rename = "DSC", alias = "DESC")]
    Dsc,
}

/// `POST meetings/{id}/livestreams`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamStartBody {
    /// Letters, digits, `-` and `_`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[a-zA-Z0-9-_]*$")]
    pub name: Option<Option<String>>,
    /// The picture's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub video_config: Option<LivestreamVideo>,
    /// Whether what is streamed comes from elsewhere, by RTMP, instead of from the meeting. Of the web SDK.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub manual_ingest: Option<bool>,
    /// Where it is streamed to besides. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtmp_out_config: Option<LiveStreamingConfig>,
}

/// `POST livestreams`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamCreateBody {
    /// Letters, digits, `-` and `_`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^[a-zA-Z0-9-_]*$")]
    pub name: Option<Option<String>>,
}

/// The size of a livestream's picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamVideo {
    /// Pixels.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1920, default = 720, nullable = false)]
    pub height: Option<u32>,
    /// Pixels.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1920, default = 1280, nullable = false)]
    pub width: Option<u32>,
}

/// A livestream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Livestream {
    /// Its id.
    pub id: String,
    /// What it was called when it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The meeting that is streamed, if it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid", nullable = false)]
    pub meeting_id: Option<String>,
    /// What has become of it. `IDLE` until something comes, if it comes from elsewhere and is of no meeting.
    pub status: LivestreamStatus,
    /// An HLS playlist; 404 until there is something to watch. Whoever has it may watch.
    pub playback_url: String,
    /// Whether what is streamed comes from elsewhere. Of the web SDK.
    pub manual_ingest: bool,
    /// If it comes from elsewhere: where encoders are to stream to, by RTMP. For those who may manage it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ingest_server: Option<String>,
    /// With which key. Whoever has it may stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stream_key: Option<String>,
    /// If it comes from elsewhere: whether nobody may stream it to this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled: Option<Disabled>,
    /// When it was asked for.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When its status changed last, or its key, or whether it is disabled.
    #[schema(format = "date-time")]
    pub updated_at: String,
}

/// Whether something is disabled: text where the SDKs have types for it, which is so in lists and what is found, else a boolean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Disabled {
    Flag(bool),
    Text(String),
}

impl Livestream {
    /// As the SDKs have types for it.
    #[must_use]
    pub fn in_words(self) -> Self {
        let disabled = self.disabled.map(|disabled| match disabled {
            Disabled::Flag(flag) => Disabled::Text(flag.to_string()),
            text @ Disabled::Text(_) => text,
        });
        Self { disabled, ..self }
    }
}

/// What can be watched, and was, in seconds: a number in most answers, text in one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Seconds {
    Number(u64),
    Text(String),
}

/// The session of a livestream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamSession {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub livestream_id: String,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub err_message: Option<String>,
    /// When it was asked for.
    #[schema(format = "date-time")]
    pub invoked_time: String,
    /// When it could be watched first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub started_time: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub stopped_time: Option<String>,
    /// When it was asked for.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When its status changed last.
    #[schema(format = "date-time")]
    pub updated_at: String,
    /// What could be watched.
    pub ingest_seconds: Seconds,
    /// What was watched, by all who did.
    pub viewer_seconds: Seconds,
}

/// Answer to `GET livestreams`: as the SDKs' types have it one livestream, the first of the page; all of them beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamList {
    #[serde(flatten)]
    pub first: Option<Livestream>,
    /// The page. Ours.
    pub livestreams: Vec<Livestream>,
    /// Its place in the list.
    pub paging: Paging,
}

/// Answer to `GET meetings/{id}/livestream`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeetingLivestreams {
    pub livestreams: Vec<Livestream>,
}

/// Answer to `GET livestreams/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamDetail {
    pub livestream: Livestream,
    /// As the SDKs' types have it one session, the first of the page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session: Option<LivestreamSession>,
    /// The page: its sessions, the latest first. Ours.
    pub sessions: Vec<LivestreamSession>,
    /// Its place among them.
    pub paging: Paging,
}

/// Answer to `GET livestreams/{id}/active-livestream-session`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveLivestreamSession {
    pub livestream: Livestream,
    pub session: LivestreamSession,
}

/// Answer to `GET sessions/{id}/livestream-sessions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamSessions {
    pub data: Vec<LivestreamSession>,
    pub paging: Paging,
}

/// Answer to `POST meetings/{id}/active-livestream/stop`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamStopped {
    /// `livestream stopped`.
    pub message: String,
}

/// Livestreams that were asked for in some time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamStats {
    /// How many.
    pub count: u64,
    /// What could be watched.
    pub total_ingest_seconds: u64,
    /// What was watched.
    pub total_viewer_seconds: u64,
}

/// Those of one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LivestreamDayStats {
    /// Midnight of the day, UTC.
    pub date: String,
    #[serde(flatten)]
    pub stats: LivestreamStats,
}

/// `GET livestreams`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LivestreamsQuery {
    /// Those asked for no later.
    #[param(format = "date-time")]
    pub end_time: Option<String>,
    /// Leaves out those of meetings.
    pub exclude_meetings: Option<bool>,
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<u32>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<u32>,
    /// By creation time.
    #[param(inline)]
    pub sort_order: Option<LivestreamOrder>,
    /// Those asked for no earlier.
    #[param(format = "date-time")]
    pub start_time: Option<String>,
    /// Only those of which this became.
    #[param(inline)]
    pub status: Option<LivestreamStatus>,
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LivestreamPageQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<u32>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<u32>,
}

/// `GET analytics/livestreams/…`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LivestreamStatsQuery {
    /// Unix seconds, the last one.
    pub end_time: Option<i64>,
    /// Not read.
    pub filters: Option<String>,
    /// Unix seconds, the first one.
    pub start_time: Option<i64>,
}

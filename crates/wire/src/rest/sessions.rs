//! Sessions, live and ended: `/sessions`, with the people in them and what they left behind.
//! Here a participant entry is one peer: `id` is the peer's, `user_id` the participant's.
//! The spelling is mixed because the SDKs' is: `sessionId` beside `session_id`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::envelope::Paging;
use super::presets::ViewType;
use super::{SortOrder, number};

/// One run of a meeting; also the answer of `active-session`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The session's id, a UUID.
    pub id: String,
    /// The meeting's id.
    pub associated_id: String,
    /// The meeting's title, or empty text.
    pub meeting_display_name: String,
    /// Always `meeting` for a call.
    #[serde(rename = "type")]
    pub session_type: SessionType,
    /// Whether it still runs.
    pub status: SessionStatus,
    /// How many peers are in now; 0 once ended.
    pub live_participants: u64,
    /// The highest `live_participants` ever was; never falls.
    pub max_concurrent_participants: u64,
    /// Sum of the peers' time in the session, in minutes with fractions.
    #[serde(with = "number")]
    pub minutes_consumed: f64,
    /// The app's id.
    pub organization_id: String,
    /// When the first peer joined.
    pub started_at: String,
    /// When it ended; absent while live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_at: Option<String>,
    /// When the record was made.
    pub created_at: String,
    /// When the record last changed.
    pub updated_at: String,
    /// Sessions of connected meetings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, nullable = false)]
    pub breakout_rooms: Option<Vec<Session>>,
    /// Free data. In the API reference and older SDKs, not in the newest SDK types.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub meta: Option<BTreeMap<String, Value>>,
}

/// What a session is a session of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionType {
    Meeting,
    Livestream,
    Participant,
}

/// Whether a session still runs. It is live, and empty, while it waits for someone to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SessionStatus {
    Live,
    Ended,
}

/// Answer to `GET sessions`; `paging` lies beside it in the envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// The page's sessions.
    pub sessions: Vec<Session>,
}

/// Answer to `GET sessions/{id}/participants`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionParticipantList {
    /// The page's peers.
    pub participants: Vec<SessionParticipant>,
    /// The envelope's paging once more: an example of the older API has it here, the SDK types nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paging: Option<Paging>,
}

/// Answer to `GET sessions/{id}/participants/{participant_id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionParticipantDetails {
    /// The peer.
    pub participant: SessionParticipant,
}

/// A peer's stay in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionParticipant {
    /// The peer's id.
    pub id: String,
    /// The participant's id.
    pub user_id: String,
    /// The caller's own id for the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub custom_participant_id: Option<String>,
    /// Name at the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub display_name: Option<String>,
    /// Name of the preset at the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub preset_name: Option<String>,
    /// When the peer came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub joined_at: Option<String>,
    /// When the peer left; absent while in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub left_at: Option<String>,
    /// Time in the session, in minutes with fractions.
    #[serde(with = "number")]
    pub duration: f64,
    /// When the record was made.
    pub created_at: String,
    /// When the record last changed.
    pub updated_at: String,
    /// Only when asked for with `include_peer_events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub peer_events: Option<Vec<PeerEvent>>,
}

/// A step in a peer's stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerEvent {
    /// The event's id.
    pub id: String,
    /// What happened.
    pub event_name: PeerEventName,
    /// Minutes the peer had been in at that moment.
    #[serde(with = "number")]
    pub minutes_consumed: f64,
    /// The participant's id, or null.
    pub participant_id: Option<String>,
    /// The peer's id.
    pub peer_id: String,
    /// View type of the preset, or null.
    pub preset_view_type: Option<PeerViewType>,
    /// The session's id, or null.
    pub session_id: Option<String>,
    /// The connection's id, or null.
    pub socket_session_id: Option<String>,
    /// When it happened.
    pub created_at: String,
    /// When the record last changed.
    pub updated_at: String,
}

/// Steps in a peer's stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PeerEventName {
    PeerCreated,
    PeerJoining,
    PeerLeaving,
}

/// View types as peer events tell them: those of presets, and `CHAT`, which no preset can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PeerViewType {
    GroupCall,
    Webinar,
    AudioRoom,
    Livestream,
    Chat,
}

impl From<ViewType> for PeerViewType {
    fn from(view_type: ViewType) -> Self {
        match view_type {
            ViewType::GroupCall => PeerViewType::GroupCall,
            ViewType::Webinar => PeerViewType::Webinar,
            ViewType::AudioRoom => PeerViewType::AudioRoom,
            ViewType::Livestream => PeerViewType::Livestream,
        }
    }
}

/// Answer to `GET sessions/peer-report/{peer_id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerReportDetails {
    /// The peer.
    pub participant: ReportedParticipant,
}

/// A peer's stay with its call statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportedParticipant {
    /// The peer's id.
    pub id: String,
    /// The participant's id.
    pub user_id: String,
    /// The session's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_id: Option<String>,
    /// The caller's own id for the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub custom_participant_id: Option<String>,
    /// Name at the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub display_name: Option<String>,
    /// Role of the person; no source gives its values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub role: Option<String>,
    /// When the peer came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub joined_at: Option<String>,
    /// When the peer left; absent while in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub left_at: Option<String>,
    /// Time in the session, in minutes with fractions.
    #[serde(with = "number")]
    pub duration: f64,
    /// When the record was made.
    pub created_at: String,
    /// When the record last changed.
    pub updated_at: String,
    /// Only when asked for with `include_peer_events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub peer_events: Option<Vec<PeerEvent>>,
    /// Call statistics, if any were collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub peer_report: Option<PeerReport>,
}

/// Call statistics of a peer, as collected. Loosely typed: about 150 optional measurements, given on as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerReport {
    /// Device, browser, network and device changes: `device_info`, `ip_information`, `pc_metadata` and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata: Option<BTreeMap<String, Value>>,
    /// Per kind of track: samples (`audio_producer`, …) and sums (`audio_producer_cumulative`, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub quality: Option<BTreeMap<String, Value>>,
}

/// Answer to `GET sessions/{id}/chat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionChat {
    /// Where the chat lies.
    #[schema(format = "uri")]
    pub chat_download_url: String,
    /// Until when.
    pub chat_download_url_expiry: String,
}

/// Answer to `GET sessions/{id}/transcript`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionTranscript {
    /// The session's id.
    #[serde(rename = "sessionId")]
    pub session_id: String,
    /// Where the transcript lies in the asked format.
    #[schema(format = "uri")]
    pub transcript_download_url: String,
    /// Until when.
    pub transcript_download_url_expiry: String,
}

/// Answer to `GET meetings/{id}/active-transcript`, which only the client SDK asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveTranscript {
    /// Where what was said so far lies, as CSV.
    pub transcript_download_url: String,
    /// Until when.
    pub transcript_download_url_expiry: String,
}

/// Answer to `GET sessions/{id}/summary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    /// The session's id.
    pub session_id: String,
    /// Where the summary lies.
    pub summary_download_url: String,
    /// Until when.
    pub summary_download_url_expiry: String,
}

/// Answer to `POST sessions/{id}/summary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SummaryRequested {
    /// The session's id.
    pub session_id: String,
    /// How far it is; no source gives its values.
    pub status: String,
}

/// `GET sessions`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionsQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// Part of the meeting's title or id, or of the session's id, in any case.
    pub search: Option<String>,
    /// Only sessions of this meeting.
    pub associated_id: Option<String>,
    /// Made at this time or later.
    #[param(format = "date-time")]
    pub start_time: Option<String>,
    /// Made at this time or earlier.
    #[param(format = "date-time")]
    pub end_time: Option<String>,
    /// How many took part, as `min:max`.
    pub participants: Option<String>,
    /// Only sessions of this status.
    #[param(inline)]
    pub status: Option<SessionStatus>,
    /// What to sort by.
    #[param(inline)]
    pub sort_by: Option<SessionSortBy>,
    /// Which way.
    #[param(inline)]
    pub sort_order: Option<SortOrder>,
}

/// What a list of sessions is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SessionSortBy {
    MinutesConsumed,
    CreatedAt,
}

/// `GET sessions/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Fills `breakout_rooms`.
    pub include_breakout_rooms: Option<bool>,
}

/// `GET sessions/{id}/participants`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionParticipantsQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// Part of the participant's id, custom id or display name, in any case.
    pub search: Option<String>,
    /// What to sort by.
    #[param(inline)]
    pub sort_by: Option<SessionParticipantSortBy>,
    /// Which way.
    #[param(inline)]
    pub sort_order: Option<SortOrder>,
    /// Fills `peer_events`.
    pub include_peer_events: Option<bool>,
    /// Whether `duration` counts time in breakout rooms.
    #[param(inline)]
    pub view: Option<SessionParticipantView>,
}

/// What a list of a session's peers is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SessionParticipantSortBy {
    JoinedAt,
    Duration,
}

/// Whether a peer's `duration` counts time in breakout rooms: `consolidated` does, `raw` (the default) does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionParticipantView {
    Raw,
    Consolidated,
}

/// `GET sessions/{id}/participants/{participant_id}`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionParticipantQuery {
    /// Fills `peer_events`.
    pub include_peer_events: Option<bool>,
}

/// `GET sessions/peer-report/{peer_id}`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PeerReportQuery {
    /// Parts of the report, separated by commas: `device_info`, `ip_information`,
    /// `precall_network_information`, `events`, `quality_stats`.
    pub filters: Option<String>,
    /// Fills `peer_events`.
    pub include_peer_events: Option<bool>,
}

/// `GET sessions/{id}/transcript`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TranscriptQuery {
    /// CSV if absent.
    #[param(inline)]
    pub format: Option<TranscriptFormat>,
}

/// `GET sessions/{id}/chat`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChatQuery {
    /// CSV if absent.
    #[param(inline)]
    pub format: Option<ChatFormat>,
}

/// File formats of a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChatFormat {
    #[default]
    Csv,
    Json,
}

/// File formats of a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TranscriptFormat {
    Srt,
    Vtt,
    Json,
    Csv,
}

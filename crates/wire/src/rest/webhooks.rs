//! Webhooks: `/webhooks`, and what they are told. Bodies of requests and answers are in snake case, what webhooks are told
//! is in camel case. Requests ignore keys they do not know.
//! Sources: the official SDKs, and the product's documentation of webhooks.
//! What is marked as ours is beside the contract.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SortOrder;
use super::recordings::{DownloadUrl, RecordingStatus};

macro_rules! events {
    ($($event:ident = $name:tt),* $(,)?) => {
        /// What webhooks can be told of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum WebhookEvent {
            $(#[serde(rename = $name)] $event,)*
        }

        impl WebhookEvent {
            /// All of them, in the order in which the API names them.
            pub const ALL: [Self; 9] = [$(Self::$event),*];

            /// Its name on the wire.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$event => $name,)*
                }
            }
        }
    };
}

events! {
    MeetingStarted = "meeting.started",
    MeetingEnded = "meeting.ended",
    ParticipantJoined = "meeting.participantJoined",
    ParticipantLeft = "meeting.participantLeft",
    ChatSynced = "meeting.chatSynced",
    RecordingStatus = "recording.statusUpdate",
    LivestreamingStatus = "livestreaming.statusUpdate",
    Transcript = "meeting.transcript",
    Summary = "meeting.summary",
}

/// `POST webhooks` and `PUT webhooks/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookBody {
    /// What people call it.
    pub name: String,
    /// Where it is told.
    #[schema(format = "uri")]
    pub url: String,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
    /// Whether it is told at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = true, nullable = false)]
    pub enabled: Option<bool>,
}

/// `PATCH webhooks/{id}`: changes what is sent. Null is the same as absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookPatch {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// Where it is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", nullable = false)]
    pub url: Option<String>,
    /// What it is told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub events: Option<Vec<WebhookEvent>>,
    /// Whether it is told at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
}

/// A webhook as answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// A UUID; in the header `rtk-webhook-id` of what it is told.
    #[schema(format = "uuid")]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it is told.
    #[schema(format = "uri")]
    pub url: String,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
    /// Whether it is told at all.
    pub enabled: bool,
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
}

/// What `/.well-known/webhooks.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookKey {
    /// The key that signatures are checked with: SubjectPublicKeyInfo as PEM.
    #[serde(rename = "publicKey")]
    pub public_key: String,
}

/// `GET /.well-known/webhooks.json`: the one envelope with a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookKeyAnswer {
    /// Always true.
    pub success: bool,
    /// The key.
    pub data: WebhookKey,
    /// Empty.
    pub message: String,
}

/// What a webhook is told: the whole body of a request to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookPayload {
    /// What happened.
    pub event: WebhookEvent,
    /// Where; not of a chat, whose session is beside the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub meeting: Option<PayloadMeeting>,
    /// Of whoever came or left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub participant: Option<PayloadParticipant>,
    /// Of a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recording: Option<PayloadRecording>,
    /// Of a livestream.
    #[serde(flatten)]
    pub livestream: Option<PayloadLivestream>,
    /// Of an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<PayloadReason>,
    /// Of a transcript: where it is.
    #[serde(rename = "transcriptDownloadUrl", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub transcript_download_url: Option<String>,
    /// Until when.
    #[serde(rename = "transcriptDownloadUrlExpiry", skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub transcript_download_url_expiry: Option<String>,
    /// Of a summary: where it is.
    #[serde(rename = "summaryDownloadUrl", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub summary_download_url: Option<String>,
    /// Until when.
    #[serde(rename = "summaryDownloadUrlExpiry", skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub summary_download_url_expiry: Option<String>,
    /// Of a chat.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub chat: Option<PayloadChat>,
}

/// The chat of a session that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayloadChat {
    /// The session's id.
    pub session_id: String,
    /// The meeting's id.
    pub meeting_id: String,
    /// The meeting's title when the session began; empty if it has none.
    pub title: String,
    /// Where the chat is, as CSV.
    pub chat_download_url: String,
    /// Until when.
    #[schema(format = "date-time")]
    pub chat_download_url_expiry: String,
    /// When the session's record was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When the session began.
    #[schema(format = "date-time")]
    pub started_at: String,
    /// When it ended.
    #[schema(format = "date-time")]
    pub ended_at: String,
    /// The app.
    pub organized_by: PayloadApp,
}

/// How a livestream stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayloadLivestream {
    /// Its id.
    pub stream_id: String,
    /// `IDLE` until it can be watched, then `LIVE`, at last `OFFLINE`.
    pub status: String,
    /// Whether what is streamed comes from elsewhere.
    pub manual_ingest: bool,
    /// An HLS playlist.
    pub playback_url: String,
}

/// How a recording stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayloadRecording {
    /// Its id.
    pub id: String,
    /// The same once more.
    pub recording_id: String,
    /// The meeting's id.
    pub meeting_id: String,
    /// The app's id.
    pub organization_id: String,
    /// The session's id.
    #[serde(rename = "roomUUID")]
    pub room_uuid: String,
    /// What has become of it.
    pub status: RecordingStatus,
    /// When it began, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub started_time: Option<String>,
    /// When its last moment was recorded, once it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub stopped_time: Option<String>,
    /// Bytes, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file_size: Option<String>,
    /// The name of its file; of tracks the pattern of theirs.
    pub output_file_name: String,
    /// Where it is, once it is stored. Of tracks a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub download_url: Option<DownloadUrl>,
    /// Where its sound alone is, if there is such a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audio_download_url: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub download_url_expiry: Option<String>,
    /// Seconds, pauses left out, once it has stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recording_duration: Option<i64>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PayloadReason {
    AllParticipantsLeft,
    HostEndedMeeting,
}

/// The meeting and its session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayloadMeeting {
    /// The meeting's id.
    pub id: String,
    /// The session's id. Not of livestreams.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_id: Option<String>,
    /// The meeting's title when the session began; empty if it has none.
    pub title: String,
    /// The meeting's id once more.
    pub room_name: String,
    /// Always `LIVE`, after the end too.
    pub status: String,
    /// When the session's record was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub created_at: Option<String>,
    /// When the session began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub started_at: Option<String>,
    /// When it ended, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub ended_at: Option<String>,
    /// The app.
    pub organized_by: PayloadApp,
}

/// The app that a meeting is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PayloadApp {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Who came or left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayloadParticipant {
    /// The connection.
    pub peer_id: String,
    /// What it was called when it came.
    pub user_display_name: String,
    /// The caller's own id for the person.
    pub custom_participant_id: String,
    /// The same once more.
    pub client_specific_id: String,
    /// When it came.
    #[schema(format = "date-time")]
    pub joined_at: String,
    /// When it left, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub left_at: Option<String>,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeliveryStatus {
    /// It is told as soon as it may be.
    Pending,
    /// The receiver has it.
    Delivered,
    /// The receiver refused it, or did not take it for too long.
    Failed,
}

/// One event that one webhook is told of. Ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDelivery {
    /// The same over all tries; in the header `rtk-uuid`.
    pub id: String,
    /// What happened.
    pub event: WebhookEvent,
    /// In which session.
    pub session_id: String,
    /// What became of it.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub tries: u32,
    /// When it was tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub last_tried_at: Option<String>,
    /// The status that came back last, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub response_status: Option<u16>,
    /// The beginning of what came back last, or why nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub response: Option<String>,
    /// While it is pending: when it may be tried next, at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub next_try_at: Option<String>,
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// What is told.
    pub payload: WebhookPayload,
}

/// `GET webhooks/{id}/deliveries`. Ours.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// By creation time.
    #[param(inline)]
    pub sort_order: Option<SortOrder>,
    /// Only those of which this became.
    #[param(inline)]
    pub status: Option<DeliveryStatus>,
    /// Only those of this event.
    #[param(inline)]
    pub event: Option<WebhookEvent>,
    /// Only those of this session.
    pub session_id: Option<String>,
}

/// `POST webhooks/{id}/test`. Ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookTestBody {
    /// What is made up to have happened; `meeting.started` unless it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub event: Option<WebhookEvent>,
}

/// `POST webhooks/{id}/replay`. Ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookReplayBody {
    /// From when on, inclusive.
    #[schema(format = "date-time")]
    pub start_time: String,
    /// Until when, inclusive.
    #[schema(format = "date-time")]
    pub end_time: String,
    /// What of; those that the webhook is told of unless it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub events: Option<Vec<WebhookEvent>>,
}

/// Answer to `POST webhooks/{id}/replay`. Ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookReplayed {
    /// So many events are told again.
    pub deliveries: u64,
}

/// Answer to `POST webhooks/{id}/secret`: the only place where a secret is told. Ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookSecret {
    /// What signatures of Standard Webhooks are made with from now on.
    pub secret: String,
    /// Until when the secret before it signs too, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", nullable = false)]
    pub former_until: Option<String>,
}

/// `GET events`. Ours.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The cursor of the last event that was read.
    pub after: Option<String>,
    /// How many events at most.
    #[param(minimum = 0)]
    pub limit: Option<f64>,
}

/// Answer to `GET events`. Ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventList {
    /// What happened, those of one session in order.
    pub events: Vec<FeedEvent>,
    /// What to ask with next.
    pub after: String,
}

/// One event of an app. Ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeedEvent {
    /// Its place: to ask for those after it.
    pub cursor: String,
    /// The same whenever it is read.
    pub id: String,
    /// When it happened.
    #[schema(format = "date-time")]
    pub at: String,
    /// What a webhook would be told.
    pub payload: WebhookPayload,
}

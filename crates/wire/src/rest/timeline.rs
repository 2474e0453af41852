//! What happened in a session, event by event: `/sessions/{session_id}/timeline`, Salon's own beside the contract.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::people::People;

/// Part of a session's record, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// The session's id.
    pub session_id: String,
    /// Number of the last event there is.
    pub last_seq: u64,
    /// The session is over: there will be no more.
    pub complete: bool,
    /// Where the next page goes on (`after`); absent if there is nothing more for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<u64>,
    pub events: Vec<TimelineEvent>,
    /// Only with `at`: who was in then, as `active-session/people` would have told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub state: Option<People>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEvent {
    /// Position in the record, from 1.
    pub seq: u64,
    pub at: String,
    /// Such as `peer_joined`, `track_paused`, `chat_sent`, `session_ended`.
    pub kind: String,
    /// Whom it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub peer_id: Option<String>,
    /// Who did it, if that is somebody else or is worth saying: a peer's id, or `api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub by: Option<String>,
    /// What else there is to say of it.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// `GET sessions/{session_id}/timeline`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TimelineQuery {
    /// Events after the one with this number; from the first if absent.
    #[param(minimum = 0)]
    pub after: Option<u64>,
    /// How many events are looked at: 1000 if absent, 5000 at most.
    #[param(minimum = 1)]
    pub limit: Option<u32>,
    /// Only these, separated by commas: `people`, `tracks`, `moderation`, `stage`, `chat`, `polls`, `recordings`, `node`.
    /// What is written in the chat is told only if `chat` is named, and never what is private.
    pub kinds: Option<String>,
    /// A moment, or the number of an event: adds how things stood then.
    pub at: Option<String>,
}

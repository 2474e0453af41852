//! The live sessions of an app: `/active-sessions`, and what its stream says. Salon's own beside the contract.
//! An item says how a session stood after one of its events; of two about the same session the one with the larger `seq` counts.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::people::Counts;

/// One live session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveSession {
    /// The session's id.
    pub session_id: String,
    /// The meeting's id.
    pub meeting_id: String,
    /// The meeting's title when it began, or empty text.
    pub title: String,
    /// The number of the last event of its record.
    pub seq: u64,
    #[serde(flatten)]
    pub counts: Counts,
    /// When the first peer joined.
    pub started_at: String,
    /// When something happened last.
    pub updated_at: String,
    /// The node that runs it.
    pub node: String,
    /// Of a connected meeting: the session it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parent_session_id: Option<String>,
}

/// Answer to `GET active-sessions`, and `event: sessions` of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveSessions {
    /// Newest first, in a list.
    pub sessions: Vec<LiveSession>,
    /// There may be more: ask for those `after` this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_after: Option<String>,
}

/// `event: gone` of the stream: these sessions are over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GoneSessions {
    pub gone: Vec<GoneSession>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GoneSession {
    pub session_id: String,
    pub meeting_id: String,
    /// The number of its last event.
    pub seq: u64,
    pub ended_at: String,
}

/// How to ask for live sessions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LiveSessionsQuery {
    /// At most so many.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    pub limit: Option<u32>,
    /// Those after this place: the `next_after` of the answer before.
    pub after: Option<String>,
    /// Part of the meeting's title or id, or of the session's id, in any case.
    pub search: Option<String>,
    /// Only that of this meeting.
    pub meeting_id: Option<String>,
    /// Only those on this node.
    pub node: Option<String>,
    /// Only those with so many live participants.
    pub min_people: Option<u32>,
}

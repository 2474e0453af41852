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
    /// It is being recorded, or was about to be, when this was told. Not part of the record.
    pub recording: bool,
    /// How many wait to be let in. Not part of the record; absent while the node that runs it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub waiting: Option<u64>,
    /// How the worst calls in it are. Not part of the record; absent while nothing is known, or the node that runs it does not
    /// answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub worst: Option<Worst>,
    /// Of a connected meeting: the session it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parent_session_id: Option<String>,
}

/// How the worst calls of a session are, over the last whole quarter of a minute, in the words of `docs/quality.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Worst {
    /// The worst that anybody hears or sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sound: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub picture: Option<String>,
    /// How many devices have something to complain of.
    pub people: u32,
}

/// What live sessions are listed by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveSort {
    /// The newest first.
    #[default]
    StartedAt,
    /// Those with the most live participants first.
    People,
    /// Those in which most devices have something to complain of first.
    Worst,
}

/// Answer to `GET active-sessions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveSessions {
    pub sessions: Vec<LiveSession>,
    /// How many there are on all pages.
    pub total_count: u64,
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
    /// Only those whose worst sound or picture is so, in a word of `docs/quality.md`.
    pub worst: Option<String>,
    /// Other than by `started_at` there is one page.
    #[param(inline)]
    pub sort_by: Option<LiveSort>,
}

/// How to watch them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LiveSessionsStreamQuery {
    /// A live session whose people are told of as well, as in the stream of its meeting.
    pub also: Option<String>,
    /// The id of the last event that was heard of that session.
    pub after: Option<String>,
}

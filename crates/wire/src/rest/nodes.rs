//! What nodes of one cluster ask each other, on ports of their own. Not part of the API: clients never see it.
//! Nodes of two adjacent releases talk, so fields are added and never change their meaning.

use serde::{Deserialize, Serialize};

use super::live_sessions::Worst;
use super::sessions::Session;

/// Where live sessions are asked for.
pub const SESSIONS: &str = "/internal/sessions";

/// Where it is told that a family of connected meetings has changed.
pub const FAMILY: &str = "/internal/family";

/// Meetings in one question: a page of a list.
pub const MAX_MEETINGS: usize = 1_000;

/// Meetings whose live sessions are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Their ids.
    pub meetings: Vec<String>,
    /// Whether to look how calls are, too: all calls of the node are looked through for that.
    #[serde(default)]
    pub calls: bool,
}

/// Those that the node runs, at the moment of its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sessions {
    /// In any order.
    pub sessions: Vec<ToldSession>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToldSession {
    /// As it is told to whoever asks.
    pub session: Session,
    /// The moment up to which its minutes count, in milliseconds since 1970.
    pub until_ms: i64,
    /// How many wait to be let in; earlier releases do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// How its worst calls are, if that was asked for and is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Worst>,
}

/// A family has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The meeting that the others were made in.
    pub parent: String,
}

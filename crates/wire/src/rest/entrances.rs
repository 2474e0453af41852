//! Who came to a meeting and was not let straight in: `/meetings/{meeting_id}/entrance`. Salon's own beside the contract.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::people::Waiting;

/// Answer to `GET meetings/{meeting_id}/entrance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entrance {
    /// Who waits at this moment, also while no session is live. Not written down.
    pub waiting: Vec<Waiting>,
    /// What happened, the latest first.
    pub entries: Vec<Entry>,
}

/// Something that happened, once or several times within ten minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    pub what: Happening,
    /// The same as a sentence.
    pub text: String,
    pub participant_id: String,
    /// Absent once the participant is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub custom_participant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub display_name: Option<String>,
    /// The connection of the last time.
    pub peer_id: String,
    #[schema(format = "date-time")]
    pub first_at: String,
    #[schema(format = "date-time")]
    pub last_at: String,
    pub times: u64,
}

/// What happened to somebody at the entrance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    Waits,
    LetIn,
    Denied,
    WentAway,
    TokenExpired,
    NoParticipant,
    Inactive,
    Full,
    PutOut,
    TooOften,
    Refused,
}

/// How to ask for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EntranceQuery {
    /// At most so many entries.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u32>,
}

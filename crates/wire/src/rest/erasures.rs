//! Erasing a person: `/erasures`. Salon's own beside the contract.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST erasures`: who is erased, one of the two.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErasureBody {
    /// The caller's own id for the person: whoever has or had it in the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_participant_id: Option<String>,
    /// One participant, with those who stand for it in connected meetings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    pub participant_id: Option<String>,
}

/// The receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// What the audit log calls it. It names nobody.
    #[schema(format = "uuid")]
    pub id: String,
    #[schema(format = "date-time")]
    pub erased_at: String,
    /// Participants that were deleted.
    pub participants: u64,
    /// Sessions whose records said something of them.
    pub sessions: u64,
    /// Messages of theirs in the chat of those.
    pub messages: u64,
    /// Files of theirs in chats. Their links end at once, their bytes are gone within minutes.
    pub files: u64,
    /// Recordings of their voice alone. They are told of no more, and their bytes are gone within minutes.
    pub voices: u64,
}

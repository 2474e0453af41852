//! The live session of a meeting: `/meetings/{meeting_id}/active-session`. `GET` answers `sessions::Session`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `kick` and `mute`: whom. Both lists together mean their union; one of them must name someone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Targets {
    /// Ids given when the participants were added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub participant_ids: Option<Vec<String>>,
    /// The caller's own ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub custom_participant_ids: Option<Vec<String>>,
}

/// Answer to `kick` and `mute`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Affected {
    /// What was done; no source gives its text.
    pub action: String,
    /// To whom: those of the targets who were in.
    pub participants: Vec<AffectedParticipant>,
}

/// Somebody kicked or muted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AffectedParticipant {
    /// The participant's id.
    pub id: String,
    /// Display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// In the contract; Salon knows no addresses and leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<String>,
    /// Address of a portrait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", nullable = false)]
    pub picture: Option<String>,
    /// When the participant was added.
    pub created_at: String,
    /// When the participant last changed.
    pub updated_at: String,
}

/// Answer to `kick-all`, which takes no body and ends the session at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KickedAll {
    /// What was done; no source gives its text.
    pub action: String,
    /// How many were removed; 0 when the session was waiting for someone to return.
    pub kicked_participants_count: u64,
}

/// Body of `mute-all`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MuteAllBody {
    /// False keeps people from unmuting themselves.
    pub allow_unmute: bool,
}

/// Answer to `mute-all`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MutedAll {
    /// What was done; no source gives its text.
    pub action: String,
    /// How many were muted.
    pub muted_participants_count: u64,
}

/// Body of `poll`: asks everyone in the session, as if a participant had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PollBody {
    /// What is asked.
    pub question: String,
    /// Texts of the answers, in order.
    pub options: Vec<String>,
    /// Hides who voted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub anonymous: Option<bool>,
    /// Hides the counts from who has not voted; `anonymous` forces it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hide_votes: Option<bool>,
}

/// Answer to `poll`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PollCreated {
    /// What was done; no source gives its text.
    pub action: String,
    /// The new poll.
    pub poll: Poll,
}

/// A poll as REST shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Poll {
    /// The poll's id.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// Answers with their votes.
    pub options: Vec<PollOption>,
    /// Whether voters are hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub anonymous: Option<bool>,
    /// Whether counts are hidden from who has not voted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hide_votes: Option<bool>,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_by: Option<String>,
    /// Ids of those who voted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub voted: Option<Vec<String>>,
}

/// One answer of a poll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PollOption {
    /// The answer.
    pub text: String,
    /// How many chose it.
    pub count: u64,
    /// Who chose it.
    pub votes: Vec<PollVote>,
}

/// One person's vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PollVote {
    /// The voter's id.
    pub id: String,
    /// The voter's display name.
    pub name: String,
}

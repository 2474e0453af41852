//! The audit log: `/accounts/{account_id}/audit-log`. Salon's own, beside the contract.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SortOrder;

/// What kind of somebody did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditActorType {
    /// A holder of an API key.
    ApiKey,
    /// Somebody in a meeting.
    Participant,
    /// Somebody at the command line of the server.
    Operator,
    /// The server itself, by its settings.
    Salon,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    Done,
    /// The API key does not allow it.
    Refused,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    #[serde(rename = "type")]
    pub kind: AuditActorType,
    /// Of the API key or the participant; null of others.
    pub id: Option<String>,
}

/// Something it was done to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditSubject {
    /// `meeting`, `participant`, `peer`, `preset`, `webhook`, `key` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
}

/// One act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the account's log, from 1, without gaps.
    pub number: u64,
    /// When it was done.
    #[schema(format = "date-time")]
    pub at: String,
    pub actor: AuditActor,
    /// The call (`DELETE /presets/{preset_id}`), the message of a meeting (`socket kick`) or the command (`salon token create`).
    pub action: String,
    /// What it was done to, at most a hundred.
    pub subjects: Vec<AuditSubject>,
    /// The app it was done in; null if it was of the account.
    pub app_id: Option<String>,
    /// The address that the connection came from: that of a proxy, if there is one before the server.
    pub from: Option<String>,
    pub outcome: AuditOutcome,
    /// SHA-256, in hexadecimal, of this entry and of the one before it.
    pub hash: String,
}

/// `GET audit-log`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditLogQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// By number.
    #[param(inline)]
    pub sort_order: Option<SortOrder>,
    /// Done at this moment or later.
    #[param(format = "date-time")]
    pub start_time: Option<String>,
    /// Done at this moment or earlier.
    #[param(format = "date-time")]
    pub end_time: Option<String>,
    /// Done in this app.
    pub app_id: Option<String>,
    /// Done by this API key or participant.
    pub actor_id: Option<String>,
    /// Exactly this action.
    pub action: Option<String>,
    /// Done to this.
    pub subject_id: Option<String>,
    /// How it went.
    #[param(inline)]
    pub outcome: Option<AuditOutcome>,
}

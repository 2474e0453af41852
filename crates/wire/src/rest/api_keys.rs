//! API keys: `/accounts/{account_id}/api-keys`. Salon's own, beside the contract. Requests ignore keys they do not know.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::nullable;

/// How much a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApiKeyScope {
    /// `GET` and `HEAD`.
    Read,
    /// Everything.
    Manage,
}

/// `POST api-keys`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyBody {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = "", nullable = false)]
    pub label: Option<String>,
    /// Whose it is: callers that send an address with the key (`X-Auth-Email`) must send this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// How much it may do.
    pub scope: ApiKeyScope,
    /// The only app it is for; left out, it is for all of the account's and for the account itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// When it ends; left out, it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time")]
    pub expires_at: Option<String>,
}

/// `PATCH api-keys/{id}`: changes what is sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyPatch {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub label: Option<String>,
    /// How much it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scope: Option<ApiKeyScope>,
    /// When it ends; null for never.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", value_type = Option<String>)]
    pub expires_at: Option<Option<String>>,
}

/// `POST api-keys/{id}/rotate`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyRotateBody {
    /// How long the secret is good that it has now, in seconds: a day if left out. 0 for one that leaked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = 86400, minimum = 0, maximum = 604800, nullable = false)]
    pub former_for_secs: Option<u32>,
}

/// A key as it is shown: without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// A UUID.
    #[schema(format = "uuid")]
    pub id: String,
    /// What it is for.
    pub label: String,
    /// Whose it is.
    pub email: Option<String>,
    /// How much it may do.
    pub scope: ApiKeyScope,
    /// The only app it is for; null if it is for all of the account's.
    pub app_id: Option<String>,
    /// When it was made.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it ends; null if it does not.
    #[schema(format = "date-time")]
    pub expires_at: Option<String>,
    /// When it was last used, written at most once an hour; null if it never was.
    #[schema(format = "date-time")]
    pub last_used_at: Option<String>,
    /// Until when the secret it had before is good too; null if that is over.
    #[schema(format = "date-time")]
    pub former_until: Option<String>,
}

/// A key that was just made, or given a new secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyMade {
    #[serde(flatten)]
    pub key: ApiKey,
    /// What goes into `Authorization: Bearer`. Shown here only.
    pub secret: String,
}

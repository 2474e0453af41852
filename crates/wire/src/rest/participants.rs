//! Participants: `/meetings/{meeting_id}/participants`. People added to a meeting, with preset and token.
//! Requests ignore keys they do not know.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::nullable;
use super::secret::Secret;

/// `POST participants`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantBody {
    /// The caller's own id for the person: returned everywhere, never decides access.
    pub custom_participant_id: String,
    /// Name of a preset of the app.
    pub preset_name: String,
    /// Display name. Null is the same as none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address of a portrait. Null is the same as none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri")]
    pub picture: Option<String>,
}

/// `PATCH participants/{id}`: changes what is sent; null is told from absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantPatch {
    /// Display name; null removes it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    /// Address of a portrait; null removes it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", value_type = Option<String>)]
    pub picture: Option<Option<String>>,
    /// Name of a preset of the app. The contract allows null without giving it a meaning.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub preset_name: Option<Option<String>>,
}

/// A participant as answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Participant {
    /// A UUID; session data calls it `user_id`.
    #[schema(format = "uuid")]
    pub id: String,
    /// Display name, or null.
    pub name: Option<String>,
    /// Address of a portrait, or null.
    #[schema(format = "uri")]
    pub picture: Option<String>,
    /// The caller's own id for the person.
    pub custom_participant_id: String,
    /// Name of the person's preset.
    pub preset_name: String,
    /// When they were added.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When they last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
}

/// A participant with a fresh token: the answer to adding and to changing one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantWithToken {
    /// A UUID; session data calls it `user_id`.
    #[schema(format = "uuid")]
    pub id: String,
    /// Display name, or null.
    pub name: Option<String>,
    /// Address of a portrait, or null.
    #[schema(format = "uri")]
    pub picture: Option<String>,
    /// The caller's own id for the person.
    pub custom_participant_id: String,
    /// Name of the person's preset.
    pub preset_name: String,
    /// When they were added.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When they last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
    /// What the person joins with: a JWT, valid for 100 days.
    #[schema(value_type = String)]
    pub token: Secret,
}

/// Answer to `POST participants/{id}/token`. Earlier tokens stay valid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantToken {
    /// What the person joins with: a JWT, valid for 100 days.
    #[schema(value_type = String)]
    pub token: Secret,
}

/// Answer to `DELETE participants/{id}`: four fields, and no id among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeletedParticipant {
    /// The caller's own id for the person.
    pub custom_participant_id: String,
    /// Id, not name, of the preset they had.
    #[schema(format = "uuid")]
    pub preset_id: String,
    /// When they were added.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When they last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
}

/// `GET participants`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ParticipantsQuery {
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
}

//! Where a person has been: `/peers`, Salon's own beside the contract.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SortOrder;
use super::sessions::{SessionParticipant, SessionStatus};

/// Answer to `GET peers`; `paging` lies beside it in the envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonPeers {
    /// The page's peers.
    pub peers: Vec<PersonPeer>,
}

/// A person's stay in a session, with one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonPeer {
    /// The session's id.
    pub session_id: String,
    /// Whether it still runs.
    pub session_status: SessionStatus,
    /// When it began.
    pub session_started_at: String,
    /// The meeting's id.
    pub meeting_id: String,
    /// The meeting's title, or empty text.
    pub meeting_display_name: String,
    /// The stay.
    #[serde(flatten)]
    pub stay: SessionParticipant,
    /// Whether others could see it: then it counts as live and consumes minutes.
    pub counts: bool,
    /// Why it is no longer in: `left`, `lost`, `kicked`, `deleted`, `ended`; absent while in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub left_because: Option<String>,
}

/// `GET peers`. One of the two ids is required.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PersonPeersQuery {
    /// The caller's own id for the person.
    pub custom_participant_id: Option<String>,
    /// A participant's id.
    pub participant_id: Option<String>,
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// By when they first joined; newest first if absent.
    #[param(inline)]
    pub sort_order: Option<SortOrder>,
}

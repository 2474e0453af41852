//! Tickets for streams: `/stream-tickets`. Salon's own beside the contract.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST stream-tickets`: which stream it opens; without a meeting that of the app's live sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamTicketBody {
    /// The people of this meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    pub meeting_id: Option<String>,
    /// With a meeting: stay while no session is live, and for the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// Without a meeting: a live session whose people are told of as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    pub also: Option<String>,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamTicket {
    /// Opens the stream, once, from pages of any origin. Goes on after an event with `?after=` and the event's id.
    pub url: String,
    #[schema(format = "date-time")]
    pub expires_at: String,
}

//! What client SDKs of any age ask on their own, mostly with a participant token, and what they report on their own.
//! Logs are accepted and dropped unread: they hold SDP, addresses and page URLs (seen in web SDK 2.0.2).
//! Invariant: nothing a client says here about itself or its surroundings is read, stored or logged.
//! Next: `client_reports.rs`, of which some is.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use salon_wire::rest::internals as wire;
use serde_json::json;

use crate::flows::live_task::live_task;
use crate::flows::presets;
use crate::rest::auth::Guest;
use crate::rest::body::discard;
use crate::rest::error::ApiError;
use crate::rest::reply::{self, Answer, data};
use crate::rfc3339::rfc3339;
use salon_live::Hub;

/// The largest report taken in. Clients send logs every few seconds, so one is small.
const MAX_REPORT_BYTES: usize = 4 * 1024 * 1024;

/// Who the token speaks for and what they may do: the first thing a client asks. What a host changed in the session that
/// is live counts for those who come back to it as well.
pub async fn participant_details(State(hub): State<Hub>, Guest(admission): Guest) -> Answer<wire::ParticipantDetails> {
    let mut preset = presets::read(&admission.preset)?;
    if let Some(handle) = live_task(&hub, &admission.meeting.id).await? {
        let participant = admission.participant.id.clone();
        let changes = handle.call(move |session, _| session.permission_changes(&participant)).await?;
        presets::lay_over(&mut preset.permissions, &changes);
    }
    let participant = admission.participant;
    data(wire::ParticipantDetails {
        participant: wire::DetailsParticipant {
            id: participant.id.to_string(),
            name: participant.name,
            picture: participant.picture,
            custom_participant_id: participant.custom_participant_id,
            organization_id: participant.app.to_string(),
        },
        meeting: wire::DetailsMeeting { title: admission.meeting.title.unwrap_or_default() },
        // Signaling is beside the API, where the client looks by itself.
        socket: None,
        preset: wire::DetailsPreset {
            id: admission.preset.id.to_string(),
            name: admission.preset.name,
            config: preset.config,
            permissions: preset.permissions,
            ui: preset.ui,
            created_at: rfc3339(admission.preset.created_at),
            updated_at: rfc3339(admission.preset.updated_at),
        },
    })
}

/// No plugins, to those who do not start before they have a list.
pub async fn plugins(Guest(_): Guest) -> Answer<wire::UserPlugins> {
    data(wire::UserPlugins { plugins: Vec::new() })
}

/// Which media server the meeting is on, from the time when there were several kinds.
pub async fn room(Guest(admission): Guest, request: Request) -> Answer<wire::RoomDetails> {
    // Some say where they are, which is nobody's business.
    discard(request.into_body(), MAX_REPORT_BYTES).await?;
    let title = admission.meeting.title.unwrap_or_default();
    data(wire::RoomDetails { title, room_node_link: "none".to_owned(), use_hive_media: false, sfu: 3 })
}

/// Switches of features: none.
pub async fn flags(request: Request) -> Result<Response, ApiError> {
    discard(request.into_body(), MAX_REPORT_BYTES).await?;
    Ok(reply::json(StatusCode::OK, &wire::Flags { flags: Vec::new(), traits: Vec::new() }))
}

/// Takes a report and drops it, piece by piece as it arrives.
pub async fn report(request: Request) -> Result<Response, ApiError> {
    discard(request.into_body(), MAX_REPORT_BYTES).await?;
    Ok(reply::json(StatusCode::OK, &json!({})))
}

/// Where the client is: nowhere that is anybody's business. Its call statistics start once something was answered.
pub async fn location() -> Response {
    let nowhere = json!({ "ip": "", "city": "", "region": "", "country": "", "loc": "0,0", "timezone": "UTC" });
    reply::json(StatusCode::OK, &nowhere)
}

//! What the API has and Salon does not, yet: each place says so, in words, with a status the SDKs do not try again.
//! Next: `docs/api.md` lists what is missing.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use salon_core::{MeetingId, SessionId};
use salon_store::Store;
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::sessions as wire;
use serde_json::json;

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::path::At;
use crate::rest::query::Asked;
use crate::rest::reply::{self, Answer};
use crate::rest::sessions;

/// The transcript of a session. Nothing is transcribed yet.
#[utoipa::path(get, path = "/sessions/{session_id}/transcript", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid"), wire::TranscriptQuery),
    responses((status = 200, body = Envelope<wire::SessionTranscript>), (status = 404, body = ErrorBody)))]
pub async fn transcript(
    State(store): State<Store>,
    caller: Caller,
    At(id): At<SessionId>,
    asked: Asked,
) -> Answer<wire::SessionTranscript> {
    asked.one_of::<wire::TranscriptFormat>("format")?;
    nothing_of(&store, &caller, &id, "transcript").await
}

/// The summary of a session. Nothing is summarised yet.
#[utoipa::path(get, path = "/sessions/{session_id}/summary", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::SessionSummary>), (status = 404, body = ErrorBody)))]
pub async fn summary(State(store): State<Store>, caller: Caller, At(id): At<SessionId>) -> Answer<wire::SessionSummary> {
    nothing_of(&store, &caller, &id, "summary").await
}

/// Asks for a summary of a session's transcript, of which there is none yet.
#[utoipa::path(post, path = "/sessions/{session_id}/summary", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::SummaryRequested>), (status = 404, body = ErrorBody)))]
pub async fn summarise(State(store): State<Store>, caller: Caller, At(id): At<SessionId>) -> Answer<wire::SummaryRequested> {
    nothing_of(&store, &caller, &id, "transcript").await
}

async fn nothing_of<T>(store: &Store, caller: &Caller, id: &SessionId, what: &str) -> Answer<T> {
    sessions::find(store, caller, id).await?;
    Err(ApiError::not_found(format!("No {what} found for session {id}")))
}

/// Everything under `/livestreams`, and starting or stopping one.
pub async fn livestreams() -> ApiError {
    ApiError::not_yet("livestreams")
}

/// What is being streamed: nothing, in the form in which clients expect it.
pub async fn active_livestream() -> Response {
    reply::json(StatusCode::OK, &json!({ "success": true, "data": {} }))
}

/// What was transcribed so far: nothing.
pub async fn active_transcript(At(meeting): At<MeetingId>) -> ApiError {
    ApiError::not_found(format!("No active transcript found for meeting_id {meeting}"))
}

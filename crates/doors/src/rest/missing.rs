//! What the API has and Salon does not, yet: each place says so, in words, with a status the SDKs do not try again.
//! Next: `docs/api.md` lists what is missing.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::rest::error::ApiError;
use crate::rest::reply;

/// Everything under `/livestreams`, and starting or stopping one.
pub async fn livestreams() -> ApiError {
    ApiError::not_yet("livestreams")
}

/// What is being streamed: nothing, in the form in which clients expect it.
pub async fn active_livestream() -> Response {
    reply::json(StatusCode::OK, &json!({ "success": true, "data": {} }))
}

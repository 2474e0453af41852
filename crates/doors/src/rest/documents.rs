//! Handing out what is kept of a session in words, to whoever has a good link.
//! Invariant: a link that is not ours, not any more, or to nothing is told as one and the same.
//! Next: `session_links.rs`, which makes the links; `session_chat.rs` and `transcripts.rs`, whose documents these are.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use salon_core::{SessionId, Timestamp};

use crate::rest::error::ApiError;
use crate::rest::query::Asked;
use crate::session_links::Document;
use crate::tokens::Tokens;

/// There is nothing behind a link.
pub fn gone() -> ApiError {
    ApiError::not_found("This link is not valid, or not any more")
}

/// What a link to this file in that place leads to, and of which session.
///
/// # Errors
/// It is no link of ours, or not any more.
pub fn linked(
    (place, file): (&str, &str),
    asked: &Asked,
    tokens: &Tokens,
    now: Timestamp,
) -> Result<(Document, SessionId), ApiError> {
    let (document, id) = Document::of(place, file).ok_or_else(gone)?;
    let expires = asked.text("expires")?.and_then(|text| text.parse().ok()).map(Timestamp).ok_or_else(gone)?;
    let signature = asked.text("signature")?.unwrap_or_default();
    match expires > now && document.verify(tokens, &id, expires, signature) {
        true => Ok((document, id)),
        false => Err(gone()),
    }
}

/// A text of this content type, to be saved under this name.
pub fn saved(kind: &'static str, name: &str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    (headers, text).into_response()
}

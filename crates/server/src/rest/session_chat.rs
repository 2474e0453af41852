//! The chat of a session as a file: a signed link that expires, and the CSV behind it.
//! Invariant: only what was said to everyone is in it; private messages never reach anybody but their parties.
//! The link is its own credential: the signature covers the session and the expiry, nothing else is asked.
//! Next: `docs/api.md`, the columns.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use salon_core::event::ChatKind;
use salon_core::record::ChatMessage;
use salon_core::{Record, SessionId, Timestamp};
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::sessions as wire;

use crate::app::App;
use crate::clock::rfc3339;
use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::path::At;
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions;

/// How long a link is good. Asking again gives a new one.
const LINK_MS: i64 = 24 * 60 * 60 * 1_000;

const COLUMNS: &str = "id,participantId,sessionId,meetingId,displayName,pinned,isEdited,payloadType,payload,createdAt";

/// A link to the chat of a session, as it is when the link is followed.
#[utoipa::path(get, path = "/sessions/{session_id}/chat", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::SessionChat>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    At(id): At<SessionId>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer<wire::SessionChat> {
    sessions::find(&app, &caller, &id).await?;
    let expires = Timestamp((app.clock.now().0 + LINK_MS) / 1_000 * 1_000);
    let signature = app.tokens.sign_link(&subject(&id, expires));
    // The caller gets the link at the address it called.
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = uri.authority().map(|authority| authority.as_str()).or_else(|| header("host"));
    let host = host.ok_or_else(|| ApiError::bad_request("the request has no host"))?;
    let scheme = if header("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    data(wire::SessionChat {
        chat_download_url: format!("{scheme}://{host}/downloads/chat/{id}?expires={}&signature={signature}", expires.0),
        chat_download_url_expiry: rfc3339(expires),
    })
}

/// What a link leads to.
pub async fn download(State(app): State<Arc<App>>, Path(id): Path<String>, asked: Asked) -> Result<Response, ApiError> {
    let gone = || ApiError::not_found("This link is not valid, or not any more");
    let id = SessionId::parse(&id).map_err(|_| gone())?;
    let expires = asked.text("expires")?.and_then(|text| text.parse().ok()).map(Timestamp).ok_or_else(gone)?;
    let signature = asked.text("signature")?.unwrap_or_default();
    if expires <= app.clock.now() || !app.tokens.verify_link(&subject(&id, expires), signature) {
        return Err(gone());
    }
    let record = app.store.record(&id).await?.ok_or_else(gone)?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"chat-{id}.csv\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((StatusCode::OK, headers, csv(&record)).into_response())
}

/// What a signature is of.
fn subject(id: &SessionId, expires: Timestamp) -> String {
    format!("chat\n{id}\n{}", expires.0)
}

/// RFC 4180. Payloads are as people wrote them, so a spreadsheet should be told to take the columns as text.
fn csv(record: &Record) -> String {
    let mut csv = format!("{COLUMNS}\r\n");
    for message in record.chat.messages().filter(|message| !message.is_private()) {
        line(&mut csv, record, message);
    }
    csv
}

fn line(csv: &mut String, record: &Record, message: &ChatMessage) {
    let kind = match message.content.kind {
        ChatKind::Text => "TEXT_MESSAGE",
        ChatKind::Image => "IMAGE_MESSAGE",
        ChatKind::File => "FILE_MESSAGE",
        ChatKind::Custom => "CUSTOM_MESSAGE",
    };
    let at = rfc3339(message.at);
    let fields = [
        message.id.as_str(),
        message.author.as_str(),
        record.started.session.as_str(),
        record.started.meeting.as_str(),
        &message.name,
        if message.pinned { "true" } else { "false" },
        if message.edited { "true" } else { "false" },
        kind,
        &message.content.payload,
        &at,
    ];
    let quoted = fields.map(|field| {
        if field.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
    });
    csv.push_str(&quoted.join(","));
    csv.push_str("\r\n");
}

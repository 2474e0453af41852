//! The chat of a session as a file: a signed link that expires, and the CSV or JSON behind it.
//! Invariant: only what was said to everyone is in it; private messages never reach anybody but their parties.
//! Next: `docs/api.md`, the columns.

use axum::extract::State;
use axum::response::Response;
use salon_core::event::ChatKind;
use salon_core::record::ChatMessage;
use salon_core::{Record, SessionId};
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::sessions as wire;
use salon_wire::rest::sessions::ChatFormat;
use serde_json::{Map, Value, json};

use crate::rest::auth::Caller;
use crate::rest::documents::{gone, linked, saved};
use crate::rest::error::ApiError;
use crate::rest::here::Here;
use crate::rest::path::{At, Named};
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions;
use crate::rfc3339::rfc3339;
use crate::session_links::{Document, whole_seconds};
use crate::spreadsheet::no_formula;
use crate::tokens::Tokens;
use salon_live::Clock;
use salon_store::Store;

/// How long a link is good. Asking again gives a new one.
const LINK_MS: i64 = 24 * 60 * 60 * 1_000;

/// Of the CSV; the JSON has them as keys.
const COLUMNS: [&str; 10] =
    ["id", "participantId", "sessionId", "meetingId", "displayName", "pinned", "isEdited", "payloadType", "payload", "createdAt"];

/// A link to the chat of a session, as it is when the link is followed.
#[utoipa::path(get, path = "/sessions/{session_id}/chat", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid"), wire::ChatQuery),
    responses((status = 200, body = Envelope<wire::SessionChat>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(id): At<SessionId>,
    asked: Asked,
    Here(here): Here,
) -> Answer<wire::SessionChat> {
    let format = asked.one_of::<ChatFormat>("format")?.unwrap_or_default();
    sessions::find(&store, &caller, &id).await?;
    let expires = whole_seconds(clock.now().plus_ms(LINK_MS));
    data(wire::SessionChat {
        chat_download_url: Document::Chat(format).link(&tokens, &here, &id, expires),
        chat_download_url_expiry: rfc3339(expires),
    })
}

/// What a link leads to.
pub async fn download(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    Named(file): Named<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (document, id) = linked(("downloads/chat", &file), &asked, &tokens, clock.now())?;
    let Document::Chat(format) = document else { return Err(gone()) };
    let record = store.record(&id).await?.ok_or_else(gone)?;
    let (content_type, text) = match format {
        ChatFormat::Csv => ("text/csv; charset=utf-8", csv(&record)),
        ChatFormat::Json => ("application/json", json_text(&record)),
    };
    Ok(saved(content_type, &format!("chat-{file}"), text))
}

/// RFC 4180, and nothing that a spreadsheet runs. The JSON has what people wrote to the letter.
fn csv(record: &Record) -> String {
    let mut csv = COLUMNS.join(",") + "\r\n";
    for message in public(record) {
        let cells = fields(record, message).map(|field| match field {
            Value::String(text) => cell(text),
            other => other.to_string(),
        });
        csv.push_str(&cells.join(","));
        csv.push_str("\r\n");
    }
    csv
}

/// A text as a cell.
fn cell(text: String) -> String {
    let text = no_formula(text);
    match text.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// A list of objects. Payloads are text here too: the address of an image, the JSON of a file as its sender wrote it.
fn json_text(record: &Record) -> String {
    let keys = COLUMNS.map(str::to_owned);
    let object = |message| keys.clone().into_iter().zip(fields(record, message)).collect::<Map<String, Value>>();
    Value::from_iter(public(record).map(object)).to_string()
}

fn public(record: &Record) -> impl Iterator<Item = &ChatMessage> {
    record.chat.messages().map(AsRef::as_ref).filter(|message| !message.is_private())
}

/// In the order of the columns.
fn fields(record: &Record, message: &ChatMessage) -> [Value; COLUMNS.len()] {
    let kind = match message.content.kind {
        ChatKind::Text => "TEXT_MESSAGE",
        ChatKind::Image => "IMAGE_MESSAGE",
        ChatKind::File => "FILE_MESSAGE",
        ChatKind::Custom => "CUSTOM_MESSAGE",
    };
    let said_in = message.said_in.as_ref().unwrap_or(&record.started.session);
    [
        json!(message.id.as_str()),
        json!(message.author.as_str()),
        json!(said_in.as_str()),
        json!(record.started.meeting.as_str()),
        json!(message.name),
        json!(message.pinned),
        json!(message.edited),
        json!(kind),
        json!(message.content.payload),
        json!(rfc3339(message.at)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, written) in [
            ("=HYPERLINK(\"https://evil.example\",\"x\")", "\"'=HYPERLINK(\"\"https://evil.example\"\",\"\"x\"\")\""),
            ("+1", "'+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("1 = 1", "1 = 1"),
            ("a,b", "\"a,b\""),
            ("", ""),
        ] {
            assert_eq!(cell(text.to_owned()), written);
        }
    }
}

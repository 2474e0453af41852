//! JSON bodies: read within a bound of size and time, then into their type, or refused with the path of what is wrong.
//! Invariant: no text with a NUL gets past here; Postgres refuses it.
//! A body that is empty is `{}`: the SDKs send a content type with nothing after it.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::header;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use crate::rest::error::ApiError;
use crate::rest::settings::BodyBytes;

/// How long a body may take to arrive. Longer lets slow senders hold connections.
const ARRIVE_WITHIN: Duration = Duration::from_secs(30);

/// What of a body that is too large is taken in and dropped, as a multiple of what is taken: those who listen only when they
/// have sent everything would hear of a broken connection instead of why.
const DISCARDED: usize = 16;

/// A body read into its type.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// Any JSON object, for bodies that are merged before they are read.
#[derive(Debug)]
pub struct JsonObject(pub Map<String, Value>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T>
where
    BodyBytes: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = receive(request, BodyBytes::from_ref(state).0).await?;
        parse(&bytes).map(Body)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonObject
where
    BodyBytes: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = receive(request, BodyBytes::from_ref(state).0).await?;
        parse(&bytes).map(JsonObject)
    }
}

/// Reads a whole body, at most `limit` bytes of it.
pub async fn receive(request: Request, limit: usize) -> Result<axum::body::Bytes, ApiError> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        let _ = discard(request.into_body(), limit.saturating_mul(DISCARDED)).await;
        return Err(ApiError::too_large());
    }
    let bytes = axum::body::to_bytes(request.into_body(), limit);
    let bytes = tokio::time::timeout(ARRIVE_WITHIN, bytes).await.map_err(|_| ApiError::too_slow())?;
    bytes.map_err(|error| {
        // The length limit is the only error with a source of that name; anything else is a broken connection.
        match std::error::Error::source(&error) {
            Some(source) if source.to_string().contains("length limit") => ApiError::too_large(),
            _ => ApiError::bad_request("the body could not be read"),
        }
    })
}

/// Takes a body in and drops it, piece by piece as it arrives.
pub async fn discard(body: axum::body::Body, limit: usize) -> Result<(), ApiError> {
    let drained = tokio::time::timeout(ARRIVE_WITHIN, async {
        let mut body = pin!(body);
        let mut left = limit;
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            let frame = frame.map_err(|_| ApiError::bad_request("the body could not be read"))?;
            let bytes = frame.data_ref().map_or(0, |data| data.len());
            left = left.checked_sub(bytes).ok_or_else(ApiError::too_large)?;
        }
        Ok(())
    });
    drained.await.map_err(|_| ApiError::too_slow())?
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = match bytes.iter().position(|byte| !byte.is_ascii_whitespace()) {
        None => b"{}",
        // Types would read a list as their fields in order.
        Some(at) if bytes[at] != b'{' => {
            // Say so only of JSON: for anything else the parser's words are better.
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| not_json(&error))?;
            return Err(ApiError::bad_request("the body must be a JSON object"));
        }
        Some(_) => bytes,
    };
    if has_nul(bytes) {
        return Err(ApiError::bad_request("the body must not contain the character U+0000"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| match serde_json::from_slice::<IgnoredAny>(bytes) {
            // It has these words for good JSON too, where one of a few words is wanted and something else stands.
            Ok(_) if error.inner().to_string().starts_with("expected value") => {
                ApiError::invalid(&error.path().to_string(), "must be a string")
            }
            _ => explain(&error),
        })?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// Reads a value that was already JSON into its type.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(value).map_err(|error| explain(&error))
}

fn not_json(error: &serde_json::Error) -> ApiError {
    ApiError::bad_request(format_args!("the body is not valid JSON: {error}"))
}

/// Turns serde's words into `"path" is required` and the like.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let cause = error.inner();
    if cause.is_syntax() || cause.is_eof() {
        return not_json(cause);
    }
    let path = match error.path().to_string() {
        root if root == "." => String::new(),
        path => path,
    };
    let whole = cause.to_string();
    let said = whole.split_once(" at line ").map_or(whole.as_str(), |(said, _)| said);
    let quoted = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
    let under = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    // A path that already ends in the name comes from a key that was being read.
    let at = |name: &str| if path == name || path.ends_with(&format!(".{name}")) { path.clone() } else { under(name) };
    if said.starts_with("missing field") {
        return ApiError::invalid(&under(&quoted(said)), "is required");
    }
    if said.starts_with("duplicate field") {
        return ApiError::invalid(&at(&quoted(said)), "is given twice");
    }
    if said.starts_with("unknown field") {
        // The name is the caller's own and may be long.
        let name: String = quoted(said).chars().take(64).collect();
        return ApiError::invalid(&at(&name), "is not allowed");
    }
    let name = if path.is_empty() { "body" } else { path.as_str() };
    if said.starts_with("unknown variant") {
        let known = said.split_once("expected ").map_or("", |(_, known)| known).replace('`', "");
        return ApiError::invalid(name, format_args!("must be {known}"));
    }
    match said.rsplit_once(", expected ") {
        Some((_, expected)) => ApiError::invalid(name, format_args!("must be {}", in_json(expected))),
        None => ApiError::invalid(name, format_args!("is invalid: {}", said.chars().take(200).collect::<String>())),
    }
}

/// What serde expected, in the words of JSON.
fn in_json(expected: &str) -> &str {
    match expected {
        "a sequence" => "an array",
        "a map" => "an object",
        "string or map" => "a string",
        "f64" | "f32" | "u32" | "i64" | "u64" => "a number",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    }
}

/// Whether a JSON text holds the character U+0000. Raw it is no valid JSON, so only its escape is looked for.
fn has_nul(json: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'\\') {
        let escape = at + found;
        if json[escape + 1..].starts_with(b"u0000") {
            return true;
        }
        // The escaped letter may itself be a backslash.
        at = (escape + 2).min(json.len());
    }
    false
}

#[cfg(test)]
mod tests {
    use salon_wire::rest::meetings::MeetingBody;
    use salon_wire::rest::participants::ParticipantBody;
    use salon_wire::rest::presets::PresetBody;

    use super::*;

    fn said<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> String {
        let error = parse::<T>(body.as_bytes()).expect_err(body);
        format!("{error:?}")
            .split("message: \"")
            .nth(1)
            .unwrap_or_default()
            .split("\", retry")
            .next()
            .unwrap_or_default()
            .replace("\\\"", "\"")
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            (said::<ParticipantBody>("{}"), r#"BAD_REQUEST: "custom_participant_id" is required"#),
            (said::<ParticipantBody>(""), r#"BAD_REQUEST: "custom_participant_id" is required"#),
            (said::<PresetBody>(r#"{"name":"x"}"#), r#"BAD_REQUEST: "config" is required"#),
            (said::<PresetBody>(r#"{"name":"x","stray":1}"#), r#"BAD_REQUEST: "stray" is not allowed"#),
            (
                said::<PresetBody>(r#"{"config":{"view_type":"X"}}"#),
                r#"BAD_REQUEST: "config.view_type" must be one of GROUP_CALL, WEBINAR, AUDIO_ROOM, LIVESTREAM"#,
            ),
            (said::<PresetBody>(r#"{"config":{"permissions":{}}}"#), r#"BAD_REQUEST: "config.permissions" is not allowed"#),
            (said::<MeetingBody>(r#"{"title":5}"#), r#"BAD_REQUEST: "title" must be a string"#),
            (said::<MeetingBody>(r#"{"persist_chat":"yes"}"#), r#"BAD_REQUEST: "persist_chat" must be a boolean"#),
            (
                said::<MeetingBody>(r#"{"ai_config":{"transcription":{"keywords":"a"}}}"#),
                r#"BAD_REQUEST: "ai_config.transcription.keywords" must be an array"#,
            ),
            (said::<MeetingBody>(r#"{"title":"a","title":"b"}"#), r#"BAD_REQUEST: "title" is given twice"#),
            (said::<MeetingBody>(r#"{"recording_config":[]}"#), r#"BAD_REQUEST: "recording_config" must be an object"#),
            (
                said::<MeetingBody>(r#"{"session_keep_alive_time_in_secs":"60"}"#),
                r#"BAD_REQUEST: "session_keep_alive_time_in_secs" must be a number"#,
            ),
            (said::<MeetingBody>("[]"), "BAD_REQUEST: the body must be a JSON object"),
            (said::<MeetingBody>("\"\""), "BAD_REQUEST: the body must be a JSON object"),
            (said::<MeetingBody>(r#"{"title":"a\u0000"}"#), "BAD_REQUEST: the body must not contain the character U+0000"),
        ];
        for (said, expected) in cases {
            assert_eq!(said, expected);
        }
        for broken in ["{", "{\"title\"", "x", "{} {}", "{\"title\":\"\u{1}\"}"] {
            assert!(said::<MeetingBody>(broken).starts_with("BAD_REQUEST: the body is not valid JSON"), "{broken}");
        }
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(said::<Map<String, Value>>(&deep).contains("not valid JSON"), "deep nesting ends, it does not overflow");
        assert!(parse::<MeetingBody>(deep.as_bytes()).is_ok(), "a key that is not read may be as deep as it likes");
    }

    #[test]
    fn an_escaped_backslash_is_no_nul() {
        assert!(has_nul(br#"{"a":"\u0000"}"#));
        assert!(has_nul(br#"{"a":"\\\u0000"}"#));
        assert!(!has_nul(br#"{"a":"\\u0000"}"#));
        assert!(!has_nul(br#"{"a":"\u0001"}"#));
        assert!(!has_nul(br#"\"#));
    }
}

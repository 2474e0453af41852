//! Handing a stored file out, or a part of it, to whoever has a good link.
//! Invariant: nothing that others made can run in a browser as part of this origin, whatever it is said to be.
//! Next: `chat_files.rs` and `recording_files.rs`, whose files these are.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use salon_files::{Files, GetRange};

use crate::rest::error::ApiError;

/// What a browser may show by itself: pictures that hold no script.
const SHOWN: [&str; 6] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"];

/// What is handed out under the name its sender gave, though only to be saved: no browser takes these for a page, a
/// script or a style.
const NAMED: [&str; 5] = ["application/pdf", "application/zip", "application/json", "text/plain", "text/csv"];

/// A file to be handed out.
pub struct About<'a> {
    pub object: &'a str,
    pub name: &'a str,
    /// Its content type.
    pub kind: &'a str,
    pub size: u64,
    /// How long it may be kept by whoever gets it.
    pub age_secs: i64,
}

/// Hands it out, or the part of it that is asked for.
pub async fn hand_out(files: &Files, about: &About<'_>, headers: &HeaderMap) -> Result<Response, ApiError> {
    let range = headers.get(header::RANGE).and_then(|range| wanted_part(range.to_str().ok()?, about.size));
    let (range, status) = match range {
        None => (None, StatusCode::OK),
        Some(Some(range)) => (Some(range), StatusCode::PARTIAL_CONTENT),
        Some(None) => {
            let size = format!("bytes */{}", about.size);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, size)]).into_response());
        }
    };
    let found = files.read(about.object, range).await.map_err(|error| match error {
        salon_files::Error::NotFound { .. } => ApiError::internal(format_args!("the bytes of {} are gone", about.object)),
        error => ApiError::unavailable("The file cannot be read right now; try again").because(error),
    })?;
    let part = found.range.clone();
    let mut response = Response::new(Body::from_stream(found.into_stream()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let (kind, shown) = handed_out(about.kind);
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    headers.insert(header::CONTENT_DISPOSITION, disposition(shown, about.name));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), about.size);
        headers.insert(header::CONTENT_RANGE, HeaderValue::try_from(range).expect("numbers"));
    }
    let kept = HeaderValue::try_from(format!("private, max-age={}, immutable", about.age_secs)).expect("plain text");
    headers.insert(header::CACHE_CONTROL, kept);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    Ok(response)
}

/// A content type without its parameters, in small letters.
pub fn essence(kind: &str) -> String {
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The content type a file is handed out with, and whether a browser may show it by itself.
fn handed_out(kind: &str) -> (HeaderValue, bool) {
    let plain = essence(kind);
    let shown = SHOWN.contains(&plain.as_str());
    let heard_or_seen = ["audio/", "video/", "font/", "application/vnd."].iter().any(|top| plain.starts_with(top));
    let harmless = shown || NAMED.contains(&plain.as_str()) || (heard_or_seen && !plain.ends_with("xml"));
    let named = HeaderValue::try_from(kind).ok().filter(|_| harmless);
    (named.unwrap_or(HeaderValue::from_static("application/octet-stream")), shown)
}

/// RFC 6266, with the name in UTF-8 and once more in what old clients read.
fn disposition(shown: bool, name: &str) -> HeaderValue {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || " -_.()".contains(c) { c } else { '_' }).collect();
    let how = if shown { "inline" } else { "attachment" };
    let text = format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", percent_encoded(name));
    HeaderValue::try_from(text).expect("letters, digits and a few signs")
}

/// All but letters, digits and `-_.` as `%` and their bytes.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The part that a `Range` header asks for. `None` if it asks for none, or in a way that may be passed over; `Some(None)`
/// if the file does not have it.
fn wanted_part(range: &str, size: u64) -> Option<Option<GetRange>> {
    let (from, to) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse::<u64>().ok().map(Some) };
    match (number(from)?, number(to)?) {
        (Some(from), _) if from >= size => Some(None),
        (Some(from), None) => Some(Some(GetRange::Offset(from))),
        (Some(from), Some(to)) if from <= to => Some(Some(GetRange::Bounded(from..to.saturating_add(1).min(size)))),
        (None, Some(0)) => Some(None),
        (None, Some(last)) => Some((size > 0).then_some(GetRange::Suffix(last.min(size)))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_runs_in_a_browser_is_handed_out_as_such() {
        for kind in [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/javascript",
            "application/javascript",
            "application/wasm",
            "text/css",
            "text/xml",
            "application/vnd.mozilla.xul+xml",
            "multipart/x-mixed-replace",
            "audio/x+xml",
            "x",
            "",
        ] {
            let (kind, shown) = handed_out(kind);
            assert_eq!((kind.to_str().unwrap(), shown), ("application/octet-stream", false));
        }
        for (kind, shown) in
            [("image/png", true), ("application/pdf", false), ("video/mp4", false), ("text/plain;charset=utf-8", false)]
        {
            assert_eq!(handed_out(kind), (HeaderValue::from_static(kind), shown));
        }
    }

    #[test]
    fn names_cannot_break_out() {
        let named = disposition(false, "../a\"b\r\nX: ü.exe");
        assert_eq!(
            named.to_str().unwrap(),
            "attachment; filename=\".._a_b__X_ _.exe\"; filename*=UTF-8''..%2Fa%22b%0D%0AX%3A%20%C3%BC.exe"
        );
        assert!(disposition(true, "a.png").to_str().unwrap().starts_with("inline; "));
    }

    #[test]
    fn ranges() {
        let part = |range| wanted_part(range, 10);
        assert_eq!(part("bytes=0-3"), Some(Some(GetRange::Bounded(0..4))));
        assert_eq!(part("bytes=8-99"), Some(Some(GetRange::Bounded(8..10))));
        assert_eq!(part("bytes=4-"), Some(Some(GetRange::Offset(4))));
        assert_eq!(part("bytes=-3"), Some(Some(GetRange::Suffix(3))));
        for beyond in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert_eq!(part(beyond), Some(None), "{beyond}");
        }
        for odd in ["", "bytes", "bytes=", "bytes=-", "bytes=3-1", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2"] {
            assert_eq!(part(odd), None, "{odd}");
        }
        assert_eq!(wanted_part("bytes=-1", 0), Some(None));
    }
}

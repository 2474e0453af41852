//! The meeting page: the files of `web/dist`, in the binary in release and from disk in debug.
//! Texts lie there compressed, as they are sent. Without built files there is a page that says how to build them.
//! Invariant: only the page on this very machine, in `salon dev`, is handed the API token.
//! Next: `web/src`, what is served here.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flate2::read::GzDecoder;
use rust_embed::{Embed, EmbeddedFile};
use serde_json::json;

use crate::accept::wish;
use crate::host_names::is_of_this_machine;

#[derive(Embed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// What the page may load, and from where: itself. The UI kit styles its elements inline, draws pictures from memory,
/// runs a worker from memory, and shows people's portraits, which may be anywhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob: http: https:; media-src 'self' data: blob: mediastream:; font-src 'self' data:; \
     connect-src 'self' ws: wss: data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
);

/// A page that needs no other file, in the colours of the meeting page.
macro_rules! plain_page {
    ($($body:literal)*) => {
        concat!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Salon</title>",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
            "<style>body{font:16px/1.5 system-ui;background:#101317;color:#f3ede4;max-width:34em;margin:18vh auto;padding:0 1em}",
            "code{background:#222;padding:.1em .4em;border-radius:4px}a{color:#e8b26a}</style>",
            $($body,)*
            "</html>",
        )
    };
}

const NOT_BUILT: &str = plain_page! {
    "<h1>Salon is running</h1><p>Its meeting page has not been built. <code>scripts/dev</code> builds it and starts Salon; "
    "the REST API and signaling work without it.</p>"
};

const NOTHING_HERE: &str = plain_page! {
    "<h1>There is nothing here</h1><p>This address leads nowhere. If somebody sent it to you as an invitation, ask for it "
    "again: a piece may be missing.</p><p><a href=\"/\">To the front page</a></p>"
};

/// What operators decide about the page.
#[derive(Clone)]
pub struct Settings {
    pub enabled: bool,
    /// What opens the API of a server to try things on; none of one that serves.
    pub dev: Option<Dev>,
}

/// The account of `salon dev`.
#[derive(Clone)]
pub struct Dev {
    pub account: &'static str,
    pub app: &'static str,
    pub token: &'static str,
}

/// The page as operators want it.
#[derive(Clone)]
pub struct Page(Arc<Settings>);

/// A file as it lies there.
struct Stored {
    file: EmbeddedFile,
    /// Compressed with gzip, by the build of the page.
    packed: bool,
}

impl Stored {
    fn find(path: &str) -> Option<Self> {
        if extension(path) == "gz" {
            return None;
        }
        let plain = Files::get(path).map(|file| Self { file, packed: false });
        plain.or_else(|| Files::get(&format!("{path}.gz")).map(|file| Self { file, packed: true }))
    }
}

/// The file at a path of the page; `None` if there is none, or the page is switched off.
pub async fn serve(page: &Page, request: &Parts) -> Option<Response> {
    if !page.0.enabled || !matches!(request.method, Method::GET | Method::HEAD) {
        return None;
    }
    let path = match request.uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(stored) = Stored::find(path) else {
        return (path == "index.html").then(|| whole("text/html; charset=utf-8", NOT_BUILT.into()));
    };
    Some(answer(path, stored, &request.headers).await)
}

/// Says to people that there is nothing at an address; `None` to programs, and where the page is switched off.
pub fn nothing_here(page: &Page, request: &Parts) -> Option<Response> {
    let asked_by_people = wish(&request.headers, "text/html").is_some_and(|wish| wish > 0.0);
    if !page.0.enabled || !asked_by_people || !matches!(request.method, Method::GET | Method::HEAD) {
        return None;
    }
    let mut response = whole("text/html; charset=utf-8", NOTHING_HERE.into());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// How the page finds its way: how this server runs, and in `salon dev` what opens its API.
pub async fn config(State(page): State<Page>, peer: Option<Extension<ConnectInfo<SocketAddr>>>, headers: HeaderMap) -> Response {
    let local =
        peer.is_some_and(|Extension(ConnectInfo(peer))| peer.ip().to_canonical().is_loopback()) && is_local_name(&headers);
    let body = match &page.0.dev {
        Some(Dev { account, app, token }) => {
            json!({ "mode": "dev", "account_id": account, "app_id": app, "api_token": local.then_some(token) })
        }
        None => json!({ "mode": "serve", "account_id": null, "app_id": null, "api_token": null }),
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Whether the page was opened as this machine. A stranger's name that was made to point here is not one of these, so
/// a page of that stranger cannot read the token.
fn is_local_name(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // A proxy on this machine forwards for others too.
    let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
    is_of_this_machine(host) && !forwarded
}

impl Page {
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }
}

async fn answer(path: &str, stored: Stored, headers: &HeaderMap) -> Response {
    let Stored { file, packed } = stored;
    let gzip = packed && accepts_gzip(headers);
    let etag = etag(&file.metadata.sha256_hash(), gzip);
    let fresh = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let mut response = if fresh.is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if packed && !gzip {
        whole(content_type(path), unpacked(file).await)
    } else {
        let mut response = whole(content_type(path), file.data.into_owned().into());
        if gzip {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let headers = response.headers_mut();
    // What is under `assets/` has its hash in its name.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::ETAG, HeaderValue::from_str(&etag).expect("a hash in hex"));
    response
}

/// The text itself, for the few who do not take it compressed.
async fn unpacked(file: EmbeddedFile) -> Bytes {
    // Milliseconds for the largest file: not on a thread that serves others.
    let unpack = move || {
        let mut text = Vec::new();
        GzDecoder::new(&*file.data).read_to_end(&mut text).map(|_| text)
    };
    // What the build of the page wrote is whole.
    tokio::task::spawn_blocking(unpack).await.ok().and_then(Result::ok).unwrap_or_default().into()
}

fn whole(content_type: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("permissions-policy", HeaderValue::from_static("camera=(self), microphone=(self), display-capture=(self)"));
    response
}

fn etag(hash: &[u8; 32], gzip: bool) -> String {
    format!("\"{}{}\"", hex::encode(&hash[..12]), if gzip { "-gz" } else { "" })
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = quality.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()) == Some(0.0);
        matches!(name.trim(), "gzip" | "*") && !refused
    })
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn content_type(path: &str) -> &'static str {
    match extension(path) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "md" | "txt" => "text/plain; charset=utf-8",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_was_forwarded_did_not_come_from_this_machine() {
        assert!(is_local_name(&headers(&[("host", "localhost")])));
        assert!(!is_local_name(&headers(&[("host", "example.org")])));
        assert!(!is_local_name(&headers(&[("host", "localhost"), ("x-forwarded-for", "203.0.113.7")])));
    }

    #[test]
    fn compression_is_negotiated() {
        assert!(accepts_gzip(&headers(&[("accept-encoding", "deflate, gzip;q=1.0, br")])));
        assert!(accepts_gzip(&headers(&[("accept-encoding", "*")])));
        assert!(!accepts_gzip(&headers(&[("accept-encoding", "br, gzip;q=0")])));
        assert!(!accepts_gzip(&headers(&[])));
    }
}

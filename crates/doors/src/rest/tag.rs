//! The name of a live answer, for those who ask again and again: has anything happened since?
//! Weak (RFC 9110, section 8.8.1), because with people in, minutes grow without an event. It is not on answers about several
//! sessions, which have several records.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use salon_core::Summary;

/// Of one session after one of its events.
pub struct Tag(String);

impl Tag {
    pub fn of(summary: &Summary) -> Self {
        Self(format!("W/\"{}-{}\"", summary.session, summary.seq))
    }

    /// The answer, with its tag; without a body for a caller who knows this one.
    pub fn on(self, asked: &HeaderMap, answer: impl FnOnce() -> Response<Body>) -> Response<Body> {
        let mut response = if self.is_known(asked) { not_modified() } else { answer() };
        if let (Ok(tag), true) = (HeaderValue::try_from(self.0), !response.status().is_server_error()) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }

    fn is_known(&self, asked: &HeaderMap) -> bool {
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        known.flat_map(|tags| tags.split(',')).any(|tag| tag.trim() == "*" || bare(tag) == bare(&self.0))
    }
}

fn not_modified() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

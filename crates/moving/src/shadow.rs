//! Asking two servers the same: a proxy that answers from one, and looks at what the other would have answered.
//! Invariant: only reads (GET) go to both, and to the other one only after the first has let the caller in. Whoever calls
//! waits for the first only. Credentials go along and are in no line.
//! Next: `shadow/tally.rs`, what is told; `differences.rs`.

mod operation;
mod side;
mod tally;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use futures_util::StreamExt;
use futures_util::stream::{self, unfold};
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::Base;
use crate::differences::{How, differences};
use crate::hosted::Token;
use tally::{Compared, Seen};

pub use side::Side;
pub use tally::Tally;

/// How long a connection may take, and how long silence may last on one.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const SILENT_FOR: Duration = Duration::from_secs(60);

/// How long the body of a request may take to arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(60);

/// How long the other side may take, from the question to the end of its answer.
const OTHER_WITHIN: Duration = Duration::from_secs(30);

/// What holds for one connection only (RFC 9110, section 7.6.1), what is said anew, and what would make answers unreadable.
const NOT_PASSED: [HeaderName; 11] = [
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Plan {
    pub salon: Base,
    pub upstream: Base,
    /// Whose answers callers are told, and who gets all that is no read.
    pub told: Side,
    /// The credential for the other one, if it is not the caller's.
    pub other_token: Option<Token>,
    /// The largest body, in bytes: of a request, and of an answer that is compared.
    pub body_bytes: usize,
    /// Requests under way, and comparisons under way. More requests are refused; more comparisons are left out and counted.
    pub at_once: usize,
    /// Keys whose values are not compared, beside those that change with each answer.
    pub ignore: Vec<String>,
}

struct Proxy {
    client: reqwest::Client,
    plan: Plan,
    tally: Arc<Tally>,
    serving: Arc<Semaphore>,
    comparing: Arc<Semaphore>,
}

/// Serves until `stop`.
///
/// # Errors
/// The system gives no certificates, or the socket fails.
pub async fn serve(
    listener: TcpListener,
    plan: Plan,
    tally: Arc<Tally>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(SILENT_FOR)
        .build()
        .context("the HTTP client cannot be made")?;
    let places = |count| Arc::new(Semaphore::new(count));
    let (serving, comparing) = (places(plan.at_once), places(plan.at_once));
    let proxy = Arc::new(Proxy { client, plan, tally, serving, comparing: comparing.clone() });
    let at_once = proxy.plan.at_once;
    let router = axum::Router::new().fallback(handle).with_state(proxy);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop);
    serving.await.context("the proxy cannot serve")?;
    // What is still compared has its time to finish.
    let all = comparing.acquire_many(u32::try_from(at_once).unwrap_or(u32::MAX));
    let _ = tokio::time::timeout(OTHER_WITHIN, all).await;
    Ok(())
}

async fn handle(State(proxy): State<Arc<Proxy>>, request: Request) -> Response<Body> {
    let Ok(place) = proxy.serving.clone().try_acquire_owned() else {
        let mut answer = refusal(StatusCode::SERVICE_UNAVAILABLE, "as many requests are under way as may be; see --at-once");
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return answer;
    };
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(header::UPGRADE) {
        return refusal(StatusCode::NOT_IMPLEMENTED, "this is for REST: have websockets go to the server itself");
    }
    let body = match tokio::time::timeout(ARRIVE_WITHIN, to_bytes(body, proxy.plan.body_bytes)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body cannot be read, or is too large; see --body-mib"),
        Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
    };
    let answer = proxy.send(proxy.plan.told, &parts, &parts.headers, body);
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(_) => return refusal(StatusCode::BAD_GATEWAY, "the server that answers here cannot be reached"),
    };
    proxy.tell(parts, answer, place).await
}

impl Proxy {
    async fn send(&self, to: Side, parts: &Parts, headers: &HeaderMap, body: Bytes) -> reqwest::Result<reqwest::Response> {
        let base = match to {
            Side::Salon => &self.plan.salon,
            Side::Upstream => &self.plan.upstream,
        };
        // Begins with a slash, so it cannot reach into the name of the host.
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = headers.clone();
        NOT_PASSED.iter().for_each(|name| drop(headers.remove(name)));
        self.client.request(parts.method.clone(), base.at(path)).headers(headers).body(body).send().await
    }

    /// Hands the answer on, and compares it if that is to be done.
    async fn tell(self: Arc<Self>, parts: Parts, mut answer: reqwest::Response, place: OwnedSemaphorePermit) -> Response<Body> {
        let status = answer.status();
        let mut headers = answer.headers().clone();
        NOT_PASSED.iter().for_each(|name| drop(headers.remove(name)));
        let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let mut whole = Vec::new();
        let mut is_whole = false;
        while is_json && whole.len() <= self.plan.body_bytes {
            match answer.chunk().await {
                Ok(Some(part)) => whole.extend_from_slice(&part),
                Ok(None) => {
                    is_whole = true;
                    break;
                }
                Err(_) => return refusal(StatusCode::BAD_GATEWAY, "the server that answers here broke off"),
            }
        }
        let whole = Bytes::from(whole);
        let body = if is_whole {
            Body::from(whole.clone())
        } else {
            // A stream, or a file: handed on as it comes, with its place.
            let rest = unfold((answer, place), |(mut answer, place)| async move {
                match answer.chunk().await {
                    Ok(Some(part)) => Some((Ok(part), (answer, place))),
                    Ok(None) => None,
                    Err(error) => Some((Err(error), (answer, place))),
                }
            });
            Body::from_stream(stream::iter((!whole.is_empty()).then(|| Ok(whole.clone()))).chain(rest))
        };
        if parts.method == Method::GET && is_json {
            // A stranger is to cost the other side nothing.
            let is_let_in = !matches!(status.as_u16(), 401 | 403 | 429);
            match self.comparing.clone().try_acquire_owned() {
                Ok(place) if is_let_in && is_whole => {
                    tokio::spawn(self.compare(parts, status.as_u16(), whole, place));
                }
                _ => self.tally.left_out(&operation::of(&parts)),
            }
        }
        let mut told = Response::new(body);
        *told.status_mut() = status;
        *told.headers_mut() = headers;
        told
    }

    async fn compare(self: Arc<Self>, parts: Parts, status: u16, whole: Bytes, place: OwnedSemaphorePermit) {
        let (told, other) = (self.plan.told, self.plan.told.other());
        let mut headers = parts.headers.clone();
        if let Some(token) = self.plan.other_token.as_ref().and_then(Token::header) {
            // Whatever else the caller shows is for the one that it called.
            ["x-auth-email", "x-auth-key", "x-auth-user-service-key", "cookie"]
                .iter()
                .for_each(|name| drop(headers.remove(*name)));
            headers.insert(header::AUTHORIZATION, token);
        }
        let asked = tokio::time::timeout(OTHER_WITHIN, self.other_answer(&parts, &headers)).await;
        let seen = match asked {
            Ok(Ok((other_status, answer))) => {
                let ours: Value = serde_json::from_slice(&whole).unwrap_or_default();
                let how = |key: &str| {
                    if changes(key) || self.plan.ignore.iter().any(|known| known == key) { How::ShapeOnly } else { How::Whole }
                };
                let found = differences(&ours, &answer, &how);
                Seen::Compared(Compared { statuses: (status, other_status), found })
            }
            Ok(Err(why)) => Seen::Failed(why),
            Err(_) => Seen::Failed("it did not answer in time".to_owned()),
        };
        self.tally.note(&operation::of(&parts), &operation::shown(&parts), (told, other), seen);
        drop(place);
    }

    async fn other_answer(&self, parts: &Parts, headers: &HeaderMap) -> Result<(u16, Value), String> {
        let sent = self.send(self.plan.told.other(), parts, headers, Bytes::new()).await;
        let mut answer = sent.map_err(|error| error.without_url().to_string())?;
        let status = answer.status().as_u16();
        let mut whole = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| error.without_url().to_string())? {
            whole.extend_from_slice(&part);
            if whole.len() > self.plan.body_bytes {
                return Err("its answer is too large; see --body-mib".to_owned());
            }
        }
        match serde_json::from_slice(&whole) {
            Ok(answer) => Ok((status, answer)),
            Err(_) => Err(format!("it answered {status} with what is no JSON")),
        }
    }
}

/// Keys whose values differ from answer to answer, or are nobody's to see: only that they are there, and of which type, is
/// compared.
fn changes(key: &str) -> bool {
    // Links, and what grows while somebody is there.
    const ENDS: [&str; 9] =
        ["_url", "_expiry", "Url", "Expiry", "minutes_consumed", "_minutes", "_duration", "ingest_seconds", "viewer_seconds"];
    const KEYS: [&str; 12] = [
        "token",
        "auth_token",
        "authToken",
        "secret",
        "password",
        "access_key",
        "private_key",
        "stream_key",
        "updated_at",
        "duration",
        "seq",
        "at",
    ];
    KEYS.contains(&key) || ENDS.iter().any(|end| key.ends_with(end))
}

/// In the shape of the API's own errors.
fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let code = status.as_u16();
    let message = format!("salon shadow: {why}");
    let body = serde_json::json!({ "success": false, "error": { "code": code, "message": message } });
    let mut answer = Response::new(Body::from(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use super::changes;

    #[test]
    fn what_grows_while_it_is_asked_for_is_no_difference() {
        let grows =
            ["minutes_consumed", "sessions_minutes_consumed", "total_session_minutes", "recording_duration", "viewer_seconds"];
        assert!(grows.into_iter().all(changes), "{grows:?}");
        assert!(["title", "max_seconds", "live_participants", "sessions_count"].into_iter().all(|key| !changes(key)));
    }
}

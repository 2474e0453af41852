//! What happens to every request before and after its handler: host names, who may call, other origins, panics, counting.
//! One middleware instead of a stack of layers: each layer costs an allocation or two on every request.
//! Invariant: nothing is answered that the rule of the route does not allow, not even that there is nothing; a handler's
//! panic is a 500 for its caller and nothing for anybody else.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;

use salon_cluster::{ELSEWHERE, Nodes};
use salon_store::acting::Acting;
use tokio_util::sync::CancellationToken;

use crate::elsewhere::{AGAIN_AFTER, Kept, Passed, is_in_time, pass, was_passed_on};
use crate::host_names::{HostNames, host, is_address};
use crate::metrics::Metrics;
use crate::refused::Refused;
use crate::rest::audited;
use crate::rest::auth::{AUTH_KEY, Gate};
use crate::rest::error::{ApiError, Cause, Elsewhere};
use crate::rest::rules::Rules;

/// Request headers a page may send where it does not say which. Clients of each age have names of their own for some.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");

/// The longest list of names that is allowed as it was asked for.
const MAX_ASKED_HEADERS: usize = 1_024;
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS");

/// On every answer, and in the log where there is something to say about it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a browser may keep the answer to a preflight, in seconds: the longest that any browser respects.
const PREFLIGHT_SECS: HeaderValue = HeaderValue::from_static("86400");

/// What every request meets.
#[derive(Clone)]
pub struct Porter(Arc<Lodge>);

struct Lodge {
    names: HostNames,
    rules: Rules,
    gate: Gate,
    /// Those that may have what is asked for here.
    nodes: Option<Nodes>,
    stop: CancellationToken,
    /// The largest body of a request that is passed on.
    body_bytes: usize,
    refused: Refused,
    metrics: Arc<Metrics>,
    /// Tells the ids of this run's requests from those of others.
    run: String,
    next_request: AtomicU64,
}

impl Porter {
    pub fn new(
        names: HostNames,
        rules: Rules,
        gate: Gate,
        (nodes, stop): (Option<Nodes>, CancellationToken),
        body_bytes: usize,
        metrics: Arc<Metrics>,
    ) -> Self {
        let run = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let (refused, next_request) = (Refused::default(), AtomicU64::new(1));
        Self(Arc::new(Lodge { names, rules, gate, nodes, stop, body_bytes, refused, metrics, run, next_request }))
    }
}

/// Runs a request.
pub async fn through(State(Porter(lodge)): State<Porter>, request: Request, next: Next) -> Response<Body> {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let rule = lodge.rules.of(route.as_ref());
    let pages = rule.pages || (request.uri().path() == "/" && is_location_host(&request));
    let asked = (pages && method == Method::OPTIONS).then(|| asked_headers(request.headers()));
    let mut response = if is_elsewhere(&lodge.names, &request) {
        ApiError::wrong_host(lodge.names.only()).into_response()
    } else if pages && method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let answered = async {
            let (mut parts, body) = request.into_parts();
            let admitted = lodge.gate.admit(rule.who, rule.reads, &mut parts).await;
            let acting = audited::acting(&parts, lodge.gate.clock.now());
            match admitted {
                Ok(()) => lodge.handled(parts, body, acting.as_ref(), next).await,
                Err(refused) => {
                    let refused = refused.into_response();
                    if let Some(acting) = acting.filter(|_| refused.status() == StatusCode::FORBIDDEN) {
                        audited::refused(&lodge.gate.store, &acting).await;
                    }
                    if shows_credential(&parts.headers) && matches!(refused.status().as_u16(), 401 | 403) {
                        lodge.refused.tell(route.as_ref().map(MatchedPath::as_str), refused.status().as_u16());
                    }
                    refused
                }
            }
        };
        guarded(answered).await
    };
    if pages {
        allow_any_origin(response.headers_mut(), asked);
    }
    let id = lodge.next_request.fetch_add(1, Ordering::Relaxed);
    let id = HeaderValue::try_from(format!("{}-{id}", lodge.run)).expect("letters, digits and a hyphen");
    let (route, status, took) = (route.as_ref().map(MatchedPath::as_str), response.status().as_u16(), began.elapsed());
    lodge.metrics.http_request(method.as_str(), route, status, took);
    let name = id.to_str().unwrap_or_default();
    match response.extensions_mut().remove::<Cause>() {
        None => {
            tracing::trace!(request.id = name, %method, route, status, duration_ms = took.as_secs_f64() * 1e3, "answered a request")
        }
        Some(cause) if cause.passing => {
            tracing::warn!(request.id = name, %method, route, status, error = cause.text, "cannot answer a request right now");
        }
        Some(cause) => tracing::error!(request.id = name, %method, route, status, error = cause.text, "a request failed"),
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

impl Lodge {
    /// The handler's answer, or that of the node that has what is asked for.
    async fn handled(&self, parts: Parts, body: Body, acting: Option<&Arc<Acting>>, next: Next) -> Response<Body> {
        let Some(nodes) = &self.nodes else { return self.answer(Request::from_parts(parts, body), acting, next).await };
        if was_passed_on(&parts) {
            let mut response = self.answer(Request::from_parts(parts, body), acting, next).await;
            if response.extensions_mut().remove::<Elsewhere>().is_some() {
                response.headers_mut().insert(ELSEWHERE, HeaderValue::from_static("1"));
            }
            return response;
        }
        let (began, (kept, body)) = (Instant::now(), Kept::of(body, self.body_bytes));
        let mut request = Request::from_parts(parts.clone(), body);
        loop {
            let mut response = self.answer(request, acting, next.clone()).await;
            let Some(Elsewhere(remote)) = response.extensions_mut().remove() else { return response };
            let Some(body) = kept.bytes() else { return response };
            let why = match pass(nodes, &remote, &parts, body.clone(), &self.stop).await {
                Passed::Answered(answer) => return answer,
                Passed::Again(why) => why,
                Passed::Unknown(why) => {
                    let told = "The node that runs this session stopped answering; what was asked for may have been done";
                    return ApiError::unavailable(told).because(why).into_response();
                }
            };
            if !is_in_time(began) {
                return ApiError::elsewhere(remote).because(why).into_response();
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            request = Request::from_parts(parts.clone(), Body::from(body));
        }
    }

    /// The handler's answer, once what it did is noted. What another node does is noted there.
    async fn answer(&self, request: Request, acting: Option<&Arc<Acting>>, next: Next) -> Response<Body> {
        match acting {
            Some(acting) => audited::audited(&self.gate.store, acting, next.run(request)).await,
            None => next.run(request).await,
        }
    }
}

/// Whether the name belongs to some other server. Load balancers, scrapers and recorders ask by address.
fn is_elsewhere(names: &HostNames, request: &Request) -> bool {
    let by_address = !names.of_this_machine
        && match request.uri().path() {
            "/health" | "/metrics" => true,
            // Recorders are beside the server, and show a token.
            "/ws" => host(request.uri(), request.headers()).is_some_and(is_address),
            _ => false,
        };
    !names.are_any() && !by_address && !host(request.uri(), request.headers()).is_some_and(|host| names.accept(host))
}

fn shows_credential(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key(AUTH_KEY)
}

/// The client SDK asks where it is at the root of two hosts of their own.
pub fn is_location_host(request: &Request) -> bool {
    host(request.uri(), request.headers())
        .is_some_and(|host| host.starts_with("location.") || host.starts_with("location-legacy."))
}

/// The headers that a preflight asks for. None of them matters to what a route does but the credential, which is the
/// caller's own in any case.
fn asked_headers(headers: &HeaderMap) -> HeaderValue {
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|names| names.len() <= MAX_ASKED_HEADERS);
    asked.cloned().unwrap_or(ALLOWED_HEADERS)
}

/// Credentials travel in headers of the caller's own making, never in cookies, so any origin may be let in. `asked` are the
/// headers of a preflight.
fn allow_any_origin(headers: &mut HeaderMap, asked: Option<HeaderValue>) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Some(asked) = asked {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECS);
    }
}

/// Turns a panic into an answer. What a handler shares with others is behind locks that survive a panic.
async fn guarded(answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    let mut answer = pin!(answer);
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            Poll::Ready(ApiError::internal(format_args!("panic: {}", said.unwrap_or("without words"))).into_response())
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let answer = guarded(async { panic!("a bug of ours: {}", 7) }).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let cause = answer.extensions().get::<Cause>().expect("the log is told");
        assert_eq!((cause.text.as_str(), cause.passing), ("panic: a bug of ours: 7", false));
        let body = axum::body::to_bytes(answer.into_body(), 1_000).await.expect("a body");
        assert!(!String::from_utf8_lossy(&body).contains("bug"), "the caller is not");
    }
}

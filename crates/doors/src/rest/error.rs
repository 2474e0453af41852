//! Every way a request can fail, and how callers are told.
//! Owns the map from refusals of store, hub and core to statuses; handlers never name a status.
//! Invariant: the text is public; a cause that is ours goes to `door.rs`, which logs it once, and is not sent.
//! A permanent refusal whose status the SDKs retry (409, 5xx) says `x-should-retry: false`.

use std::borrow::Cow;
use std::fmt::Display;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use salon_core::MeetingId;
use salon_core::session::Refusal;
use salon_store::{Error as StoreError, Rule};
use salon_wire::rest::envelope::{ErrorBody, ErrorItem};

use crate::flows::failed::Failed;
use crate::flows::presets::Unreadable;
use salon_live::{Remote, Unavailable};

/// Read by both SDKs; overrides their rule of trying 409 and 5xx again.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Why a request failed through no fault of its caller: for the log, with the request's id. Travels on the answer.
#[derive(Debug, Clone)]
pub struct Cause {
    pub text: String,
    /// It may be over the next moment, and needs nobody's attention if it is.
    pub passing: bool,
}

/// The node that has what was asked for. Travels on the answer; whoever makes one has changed nothing yet.
#[derive(Debug, Clone)]
pub struct Elsewhere(pub Remote);

/// A refused or failed request.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    /// The code in `errors`; the one in `error` is always the status.
    code: u32,
    message: Cow<'static, str>,
    /// For 429 and 503: when to come back.
    retry_after_secs: Option<u64>,
    /// What went wrong on our side.
    cause: Option<Cause>,
    /// The node that has what is asked for.
    elsewhere: Option<Box<Remote>>,
    /// The older host answers a bad credential with nothing but a message.
    bare: bool,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code: status.as_u16().into(),
            message: message.into(),
            retry_after_secs: None,
            cause: None,
            elsewhere: None,
            bare: false,
        }
    }

    /// The body or a parameter is wrong. `why` is a sentence without a full stop.
    pub fn bad_request(why: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("BAD_REQUEST: {why}"))
    }

    /// One value is wrong: `name` is its path, `why` goes on from it, as in `must be a boolean`.
    pub fn invalid(name: &str, why: impl Display) -> Self {
        Self::bad_request(format_args!("\"{name}\" {why}"))
    }

    /// The same about a value whose path begins with `parent`.
    pub fn under(self, parent: &str) -> Self {
        let message = self.message.replacen(": \"", &format!(": \"{parent}."), 1);
        Self { message: message.into(), ..self }
    }

    pub fn not_found(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, what)
    }

    /// No session is live in this meeting, or there is no such meeting: callers cannot tell, and need not.
    pub fn no_active_session(meeting: &MeetingId) -> Self {
        Self::not_found(format!("No active session found for meeting_id {meeting}"))
    }

    /// Nothing is served at this address.
    pub fn no_route() -> Self {
        Self::not_found("No such route")
    }

    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
    }

    /// A rule between things that exist stands in the way, and will until somebody changes one of them.
    pub fn conflict(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, why)
    }

    /// Well formed, and still not possible.
    pub fn unprocessable(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, why)
    }

    /// A feature of the API that Salon does not have yet.
    pub fn not_yet(feature: &str) -> Self {
        Self::unprocessable(format!("NOT_IMPLEMENTED: this server does not have {feature} yet"))
    }

    /// Somebody known, who may not do this.
    pub fn not_allowed(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, why)
    }

    /// A body of a kind that is not taken here.
    pub fn unwanted_type(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why)
    }

    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large")
    }

    pub fn too_large_a_file(most: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("The file is larger than {most} bytes"))
    }

    pub fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time")
    }

    pub fn too_many_requests(retry_after_secs: u64) -> Self {
        Self { retry_after_secs: Some(retry_after_secs), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests") }
    }

    /// The caller has as many of something as it may, at once or lately.
    pub fn too_many(why: impl Into<Cow<'static, str>>) -> Self {
        Self { retry_after_secs: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, why) }
    }

    /// What arrives comes in drops.
    pub fn trickles(least_per_second: u64) -> Self {
        let why = format!("The file arrives too slowly: at least {least_per_second} bytes a second are needed");
        Self::new(StatusCode::REQUEST_TIMEOUT, why)
    }

    /// The request names a host that this server is not; `only` says which it is.
    pub fn wrong_host(only: &str) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, format!("This server is not called so: {only}"))
    }

    /// On the Cloudflare addresses: no credential, a wrong one, or one of another account.
    pub fn forbidden() -> Self {
        Self { code: 10_000, ..Self::new(StatusCode::FORBIDDEN, "Authentication error") }
    }

    /// On the Cloudflare addresses: the credential cannot be read.
    pub fn bad_credential_headers() -> Self {
        Self { code: 6_003, ..Self::new(StatusCode::BAD_REQUEST, "Invalid request headers") }
    }

    /// On the older host, and to participants: no credential, or a wrong one.
    pub fn unauthorized() -> Self {
        Self { bare: true, ..Self::new(StatusCode::UNAUTHORIZED, "Unauthorized") }
    }

    /// Something is out of order for the moment.
    pub fn unavailable(why: impl Into<Cow<'static, str>>) -> Self {
        Self { retry_after_secs: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, why) }
    }

    /// Another node has it. `door.rs` passes the request on there; the caller hears this only if that fails.
    pub fn elsewhere(remote: Remote) -> Self {
        Self {
            elsewhere: Some(Box::new(remote)),
            ..Self::unavailable("The node that runs this session does not answer right now; try again")
        }
    }

    /// Our fault. `cause` goes to the log.
    pub fn internal(cause: impl Display) -> Self {
        let cause = Some(Cause { text: cause.to_string(), passing: false });
        Self { cause, ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error") }
    }

    /// Says what is behind an [`ApiError::unavailable`].
    pub fn because(self, cause: impl Display) -> Self {
        Self { cause: Some(Cause { text: cause.to_string(), passing: true }), ..self }
    }

    /// What callers are told, without the word for its kind.
    pub fn text(&self) -> &str {
        self.message.strip_prefix("BAD_REQUEST: ").unwrap_or(&self.message)
    }

    /// A retry would meet the same refusal, though the status makes the SDKs try.
    fn is_permanent(&self) -> bool {
        matches!(self.status, StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found("Not found"),
            StoreError::Conflict(Rule::ChangedMeanwhile) => Self::unavailable("Too many change this at once; try again"),
            StoreError::Conflict(rule) => Self::conflict(rule.to_string()),
            StoreError::NotOwner | StoreError::Unavailable(_) => {
                Self::unavailable("The database is not available right now; try again").because(error)
            }
            other => Self::internal(other),
        }
    }
}

impl From<Unavailable> for ApiError {
    fn from(_: Unavailable) -> Self {
        Self::unavailable("The session cannot be changed from here right now; try again")
    }
}

impl From<Unreadable> for ApiError {
    fn from(error: Unreadable) -> Self {
        Self::internal(error)
    }
}

impl From<Failed> for ApiError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(refusal) => refusal.into(),
            Failed::Unavailable(unavailable) => unavailable.into(),
            Failed::Elsewhere(remote) => Self::elsewhere(remote),
            Failed::Store(error) => error.into(),
            Failed::Unreadable(error) => error.into(),
            Failed::NoSuchPreset => Self::not_found(failed.to_string()),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSession | Refusal::NotJoined | Refusal::UnknownPeer | Refusal::UnknownTrack | Refusal::UnknownMessage => {
                Self::not_found(refusal.to_string())
            }
            Refusal::UnknownRecording => Self::not_found(refusal.to_string()),
            Refusal::AlreadyRecording | Refusal::AlreadyStreaming | Refusal::NotRecording => Self::conflict(refusal.to_string()),
            Refusal::TooOften => Self::too_many_requests(1),
            Refusal::NotAllowed => Self::not_allowed(refusal.to_string()),
            other => Self::unprocessable(other.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let body = if self.bare {
            serde_json::to_vec(&serde_json::json!({ "message": self.message }))
        } else {
            let item = |code| ErrorItem { code, message: self.message.clone().into_owned() };
            let error = item(self.status.as_u16().into());
            serde_json::to_vec(&ErrorBody { success: false, error, errors: vec![item(self.code)] })
        };
        let mut response = Response::new(Body::from(body.expect("an error is plain data")));
        *response.status_mut() = self.status;
        let permanent = self.is_permanent();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if permanent {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        if let Some(remote) = self.elsewhere {
            response.extensions_mut().insert(Elsewhere(*remote));
        }
        response
    }
}

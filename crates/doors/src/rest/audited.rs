//! What the audit log is told of calls: every one that may change something and comes with an API key.
//! Invariant: a call that succeeded is in the log before it is answered, with what it wrote where it wrote anything; one that
//! its key does not allow is there too. Neither bodies nor secrets are, only the ids in the address and those that handlers name.
//! Next: `salon_store::acting`, how what is written finds out who did it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use axum::response::IntoResponse;
use salon_core::{AppId, Timestamp};
use salon_store::acting::{Act, Acting, By, Outcome};
use salon_store::{ApiKey, Store};

use crate::rest::error::ApiError;

/// Whose call it is, whether or not they may make it. Left by the gate.
#[derive(Clone)]
pub struct Holder {
    pub key: Arc<ApiKey>,
    pub app: Option<AppId>,
}

/// Where calls are beside what they do.
const BEFORE: [&str; 5] = [
    "/client/v4/accounts/{account_id}/realtime/kit/{app_id}",
    "/client/v4/accounts/{account_id}",
    "/accounts/{account_id}/realtime/kit/{app_id}",
    "/accounts/{account_id}",
    "/v2",
];

/// What the call is about to do; `None` of those that only look, and of those without a key.
pub fn acting(parts: &Parts, now: Timestamp) -> Option<Arc<Acting>> {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let Holder { key, app } = parts.extensions.get::<Holder>()?;
    let route = parts.extensions.get::<MatchedPath>()?.as_str();
    let what = BEFORE.iter().find_map(|before| route.strip_prefix(before)).unwrap_or(route);
    let named = route.split('/').zip(parts.uri.path().split('/')).filter_map(|(place, text)| {
        let kind = place.strip_prefix('{')?.strip_suffix("_id}").filter(|kind| !["account", "app"].contains(kind))?;
        // Whatever has the form of an id has it here too; anything else names nothing.
        let id = AppId::parse(&text.to_ascii_lowercase()).ok()?;
        Some((kind.to_owned(), id.to_string()))
    });
    let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    Some(Acting::new(Act {
        account: Some(key.account.clone()),
        app: app.clone().or_else(|| key.reach.app.clone()),
        by: By::Key(key.id.clone()),
        what: format!("{} {what}", parts.method),
        subjects: named.collect(),
        from: from.map(|ConnectInfo(from)| from.ip().to_canonical().to_string()),
        at: now,
        outcome: Outcome::Done,
    }))
}

/// Runs a handler, and has noted what it did before it answers.
pub async fn audited(store: &Store, acting: &Arc<Acting>, answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    let response = acting.scope(answer).await;
    match response.status() {
        StatusCode::FORBIDDEN => refused(store, acting).await,
        status if status.is_success() && !acting.is_settled() => {
            // Nothing was written that it could have been written with: a token that was signed, say.
            if let Err(error) = store.note_act(&acting.act()).await {
                return ApiError::from(error).into_response();
            }
        }
        _ => {}
    }
    response
}

/// Notes what a key does not allow.
pub async fn refused(store: &Store, acting: &Acting) {
    let act = Act { outcome: Outcome::Refused, ..acting.act() };
    if let Err(error) = store.note_act(&act).await {
        tracing::warn!(%error, what = act.what, "a refusal is not in the audit log");
    }
}

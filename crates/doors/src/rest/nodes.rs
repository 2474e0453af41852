//! What nodes ask each other, on a port for nodes only: everything that clients ask, as they asked it, and what a live
//! session of ours is at this moment.
//! Invariant: nobody is answered who does not name the secret of the cluster. Whoever does may say who asked; what that one
//! may do is judged here as if they had asked here.
//! Next: `elsewhere.rs`, the other side.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use salon_cluster::{REACHED, Secret, switching};
use salon_core::{MeetingId, SessionId, Timestamp};
use salon_media::{Spread, spread};
use salon_quality::Quality;
use salon_wire::rest::nodes::{Asked, Changed, FAMILY, MAX_MEETINGS, SESSIONS, Sessions, ToldSession};
use tokio::sync::watch;

use crate::elsewhere::{PassedOn, Reached};
use crate::people;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::sessions::{Current, here};

/// What other nodes are answered with.
pub struct Desk {
    pub teller: Teller,
    pub quality: Quality,
}

/// What nodes alone ask, and everything.
pub fn router(desk: Desk, everything: Router) -> Router {
    Router::new()
        .route(SESSIONS, post(sessions))
        .route(FAMILY, post(family))
        .with_state(Arc::new(desk))
        .fallback_service(everything)
}

/// Who lets nodes in.
pub struct Porter {
    pub secret: Secret,
    /// If people's media may be here that have their session there.
    pub spread: Option<Arc<Spread>>,
    /// What answers them, once this node is ready.
    pub ready: watch::Receiver<Option<Router>>,
}

/// Of media nodes are answered at once: people wait for theirs while this node begins. All else waits until it is ready.
pub fn door(porter: Porter) -> Router {
    let porter = Arc::new(porter);
    Router::new()
        .route(spread::PATH, get(media))
        .fallback(when_ready)
        .with_state(porter.clone())
        .layer(from_fn_with_state(porter, admit))
}

/// Lets nodes in, and says who asked them.
async fn admit(State(porter): State<Arc<Porter>>, mut request: Request, next: Next) -> Response<HttpBody> {
    let Some(peer) = porter.secret.admits(request.headers_mut()) else {
        return (StatusCode::FORBIDDEN, "this port is for nodes of the cluster").into_response();
    };
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    if let Some(reached) = request.headers_mut().remove(REACHED)
        && let Ok(reached) = reached.to_str()
    {
        let reached = Reached(reached.to_owned());
        request.extensions_mut().insert(reached);
    }
    request.extensions_mut().insert(PassedOn);
    next.run(request).await
}

async fn when_ready(State(porter): State<Arc<Porter>>, request: Request) -> Response<HttpBody> {
    let router = porter.ready.clone().wait_for(Option::is_some).await.ok().and_then(|router| router.clone());
    let Some(router) = router else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    TowerToHyperService::new(router).call(request).await.into_response()
}

async fn sessions(State(desk): State<Arc<Desk>>, Json(asked): Json<Asked>) -> Result<Json<Sessions>, ApiError> {
    let Desk { teller, quality } = &*desk;
    let now = teller.clock.now();
    let asked_for = || asked.meetings.iter().take(MAX_MEETINGS);
    let worst = match asked.calls {
        true => quality.worst(&asked_for().filter_map(|meeting| teller.hub.running(meeting)).collect(), now),
        false => HashMap::<SessionId, _>::new(),
    };
    let mut sessions = Vec::new();
    for meeting in asked_for() {
        let Some(Current { session, until: Timestamp(until_ms) }) = here(teller, meeting, now)? else { continue };
        let waiting = teller.hub.summary(meeting, now)?.map(|live| live.waiting());
        let worst = worst.get(session.id.as_str()).copied().map(people::worst);
        sessions.push(ToldSession { session, until_ms, waiting, worst });
    }
    Ok(Json(Sessions { sessions }))
}

async fn family(State(desk): State<Arc<Desk>>, Json(changed): Json<Changed>) -> Result<Json<()>, ApiError> {
    if let Ok(parent) = MeetingId::parse(&changed.parent) {
        desk.teller.hub.family_changed(&parent);
    }
    Ok(Json(()))
}

/// A node that has people's media here from now on, or some of ours there.
async fn media(State(porter): State<Arc<Porter>>, request: Request) -> Response<HttpBody> {
    let Some(spread) = porter.spread.clone() else {
        return (StatusCode::NOT_FOUND, "media of other nodes are not taken here (cluster.spread)").into_response();
    };
    let connection = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(connection) = connection.await {
            spread.accept(TokioIo::new(connection)).await;
        }
    });
    switching()
}

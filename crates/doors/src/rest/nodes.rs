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
use axum::routing::post;
use axum::{Json, Router};
use salon_cluster::Secret;
use salon_core::{MeetingId, SessionId, Timestamp};
use salon_quality::Quality;
use salon_wire::rest::nodes::{Asked, Changed, FAMILY, MAX_MEETINGS, SESSIONS, Sessions, ToldSession};

use crate::elsewhere::PassedOn;
use crate::people;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::sessions::{Current, here};

/// What other nodes are answered with.
pub struct Desk {
    pub teller: Teller,
    pub quality: Quality,
    pub secret: Secret,
}

/// Everything, for nodes.
pub fn router(desk: Desk, everything: Router) -> Router {
    let desk = Arc::new(desk);
    Router::new()
        .route(SESSIONS, post(sessions))
        .route(FAMILY, post(family))
        .with_state(desk.clone())
        .fallback_service(everything)
        .layer(from_fn_with_state(desk, admit))
}

/// Lets nodes in, and says who asked them.
async fn admit(State(desk): State<Arc<Desk>>, mut request: Request, next: Next) -> Response<HttpBody> {
    let Some(peer) = desk.secret.admits(request.headers_mut()) else {
        return (StatusCode::FORBIDDEN, "this port is for nodes of the cluster").into_response();
    };
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    request.extensions_mut().insert(PassedOn);
    next.run(request).await
}

async fn sessions(State(desk): State<Arc<Desk>>, Json(asked): Json<Asked>) -> Result<Json<Sessions>, ApiError> {
    let Desk { teller, quality, .. } = &*desk;
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

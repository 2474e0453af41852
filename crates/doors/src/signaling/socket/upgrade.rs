//! From a request to a socket: whose token it is, at which node, and whether there is a place.
//! Invariant: whoever may not come in hears why in the answer to their request.
//! Next: `visit.rs`.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use salon_cluster::{ELSEWHERE, Nodes, Passing};
use salon_core::PeerId;
use salon_handover::{Descriptor, Part};
use salon_live::Place;
use salon_store::Happening;
use serde::Deserialize;

use crate::elsewhere::{AGAIN_AFTER, Reached, is_in_time, peer, was_passed_on};
use crate::entrance::At;
use crate::flows::facts::facts;
use crate::flows::robots;
use crate::signaling::socket::porch::Porch;
use crate::signaling::socket::visit::{Visitor, WentOn, visit};
use crate::signaling::wire;
use crate::tokens::Bearer;

/// What somebody hears for whom there is no place.
const TOO_MANY: &str = "this server has as many sockets as it may";
const NOT_NOW: &str = "try again in a moment";

/// The address of a socket, as the web SDK writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    #[serde(rename = "roomID", default)]
    room_id: String,
    #[serde(rename = "peerID", default)]
    peer_id: String,
    #[serde(default)]
    auth_token: String,
}

/// Takes a socket in, if its token speaks for a participant of that meeting.
pub async fn upgrade(State(porch): State<Arc<Porch>>, Query(address): Query<Address>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let from = peer(&parts).map(|from| from.ip().to_canonical());
    let Some((bearer, expires)) = porch.tokens.read(&address.auth_token) else {
        porch.refused.tell(Some("/ws"), 401);
        return porch.refuse(StatusCode::UNAUTHORIZED, "the token is not valid");
    };
    if bearer.meeting.as_str() != address.room_id {
        return porch.refuse(StatusCode::FORBIDDEN, "the token is for another meeting");
    }
    let Ok(peer_id) = PeerId::parse(&address.peer_id) else {
        return porch.refuse(StatusCode::BAD_REQUEST, "peerID is not an id");
    };
    let at_entrance = |what| {
        let Bearer { app, meeting, participant, .. } = &bearer;
        porch.entrance.note(At { app, meeting, participant, peer: &peer_id }, what);
    };
    let comes_too_often = async || {
        porch.openings.take(&bearer.participant).await.err().map(|_| {
            at_entrance(Happening::TooOften);
            porch.refuse(StatusCode::TOO_MANY_REQUESTS, "you open sockets too often; try again in a few seconds")
        })
    };
    if !was_passed_on(&parts)
        && let Some(refused) = comes_too_often().await
    {
        return refused;
    }
    let admission = match robots::bearer_admission(&porch.store, &bearer).await {
        Ok(Some(admission)) if admission.meeting.id == bearer.meeting && admission.meeting.app == bearer.app => admission,
        Ok(_) => {
            at_entrance(Happening::NoParticipant);
            return porch.refuse(StatusCode::UNAUTHORIZED, "the participant does not exist any more");
        }
        Err(error) => {
            tracing::warn!(%error, "cannot look a participant up");
            return porch.refuse(StatusCode::SERVICE_UNAVAILABLE, NOT_NOW);
        }
    };
    if let Some(nodes) = &porch.nodes
        && let Some(answer) = passed_on(&porch, nodes, &admission, &mut parts).await
    {
        return answer;
    }
    // Who comes by several nodes may come no more often than by one.
    if was_passed_on(&parts)
        && let Some(refused) = comes_too_often().await
    {
        return refused;
    }
    if expires <= porch.clock.now() && !is_still_in(&porch, &bearer, &peer_id).await {
        porch.refused.tell(Some("/ws"), 401);
        at_entrance(Happening::TokenExpired);
        return porch.refuse(StatusCode::UNAUTHORIZED, "the token has expired; ask for a new one");
    }
    let Some(open) = porch.opens() else { return porch.refuse(StatusCode::SERVICE_UNAVAILABLE, TOO_MANY) };
    // A client that loses a socket before it is in never opens another (seen in web SDK 2.0.2); one that is refused does.
    if porch.hub.open(&facts(&admission.meeting)).await.and_then(Place::here).is_err() {
        return porch.refuse(StatusCode::SERVICE_UNAVAILABLE, NOT_NOW);
    }
    if let Some(at) = porch.media.back_at(&bearer.meeting, &peer_id) {
        tokio::time::sleep_until(at.into()).await;
    }
    let (becomes, response) = match wire::upgrade(&mut parts).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused,
    };
    let guest = porch.passage.enter(Part::Socket);
    let reached = parts.extensions.get::<Reached>().map(|Reached(address)| address.clone());
    let descriptor = parts.extensions.get::<Descriptor>().copied();
    tokio::spawn(async move {
        let _open = open;
        let Ok(connection) = becomes.await else { return };
        let mut socket = wire::socket(TokioIo::new(connection), porch.settings.message_bytes, Vec::new()).await;
        let visitor = Visitor { bearer, peer: peer_id, from, reached, guest, descriptor, went_on: WentOn::default() };
        // Tracked, so that a node that stops records who was here before it closes its store.
        porch.tasks.track_future(visit(&porch, &mut socket, admission, visitor, None)).await;
    });
    response
}

/// The answer of the node that has the meeting's session, if it is not this one; what becomes of it is a pipe. The token is
/// judged there once more. A session whose node died is waited for until it goes on, here or elsewhere.
async fn passed_on(porch: &Porch, nodes: &Nodes, admission: &salon_store::Admission, parts: &mut Parts) -> Option<Response> {
    let (began, facts) = (Instant::now(), facts(&admission.meeting));
    loop {
        // One that cannot be opened is refused by whoever asked.
        let Ok(Place::There(remote)) = porch.hub.open(&facts).await else { return None };
        if was_passed_on(parts) {
            return Some((StatusCode::SERVICE_UNAVAILABLE, [(ELSEWHERE, "1")], "it is on another node").into_response());
        }
        let Some(open) = porch.opens() else { return Some(porch.refuse(StatusCode::SERVICE_UNAVAILABLE, TOO_MANY)) };
        let why = match &remote.address {
            None => "it has no cluster.listen".to_owned(),
            Some(address) => {
                let (cut, pipe) = porch.pipes.open(&remote.node);
                let reached = porch.media.spread().and_then(|spread| spread.takes());
                let passing = Passing { passage: porch.passage.clone(), node: remote.node.clone() };
                match nodes.pipe(address, parts, (peer(parts), reached), (cut, passing), (open, pipe)).await {
                    Ok(answer) if answer.headers().contains_key(ELSEWHERE) => "it does not have the session".to_owned(),
                    Ok(answer) => return Some(answer.map(axum::body::Body::new)),
                    Err(error) => error.to_string(),
                }
            }
        };
        if !is_in_time(began) {
            tracing::warn!(node = remote.node, error = why, "a socket cannot be passed on");
            return Some(porch.refuse(StatusCode::SERVICE_UNAVAILABLE, NOT_NOW));
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Whether this connection is in the meeting, or within its grace. A client has one token for a whole call, and goes on
/// with it when its socket breaks after the token has expired (seen in web SDK 2.0.2).
async fn is_still_in(porch: &Porch, bearer: &Bearer, peer: &PeerId) -> bool {
    let Some(handle) = porch.hub.find(bearer.meeting.as_str()) else { return false };
    let (peer, participant) = (peer.clone(), bearer.participant.clone());
    handle.call(move |session, _| session.is_in(&peer, &participant)).await.unwrap_or(false)
}

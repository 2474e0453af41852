//! What is on another node: which requests came from one, and passing on what came to the wrong one.
//! Invariant: a request is passed on by the node it came to first and by no other; that one also looks again, and tells the
//! caller when nobody has it.
//! Next: `salon_cluster`, which carries it; `rest/nodes.rs`, what nodes alone ask.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use futures_util::StreamExt;
use salon_cluster::{ELSEWHERE, Nodes, Unreached};
use salon_live::Remote;
use tokio_util::sync::CancellationToken;

/// On requests that another node has passed on.
#[derive(Debug, Clone, Copy)]
pub struct PassedOn;

/// On a socket that another node has passed on which may have its media: where its port for nodes is.
#[derive(Debug, Clone)]
pub struct Reached(pub String);

/// How long somebody who has a session is looked for: longer than it takes to go on with those of a node that died.
pub const LOOK_FOR: Duration = Duration::from_millis(3_500);

/// How soon to look again.
pub const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A request is not this node's to pass on: it came from another one.
pub fn was_passed_on(parts: &Parts) -> bool {
    parts.extensions.get::<PassedOn>().is_some()
}

/// Who asked.
pub fn peer(parts: &Parts) -> Option<SocketAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer)
}

/// What came of passing a request on.
pub enum Passed {
    Answered(axum::response::Response),
    /// Nothing was done: it may be looked for again.
    Again(String),
    /// Nobody knows whether it was done.
    Unknown(String),
}

/// Passes a request on, once.
pub async fn pass(nodes: &Nodes, remote: &Remote, request: &Parts, body: Bytes, stop: &CancellationToken) -> Passed {
    let Some(address) = &remote.address else {
        return Passed::Again(format!("{} has no cluster.listen", remote.node));
    };
    match nodes.pass(address, request, body, peer(request)).await {
        Ok(answer) if answer.headers().contains_key(ELSEWHERE) => Passed::Again(format!("{} does not have it", remote.node)),
        // One that has no end ends with this node.
        Ok(answer) => Passed::Answered(
            answer.map(|body| Body::from_stream(Body::new(body).into_data_stream().take_until(stop.clone().cancelled_owned()))),
        ),
        Err(Unreached::NoAnswer(why)) if !request.method.is_safe() => Passed::Unknown(format!("{}: {why}", remote.node)),
        Err(why) => Passed::Again(format!("{}: {why}", remote.node)),
    }
}

/// How much longer to look.
pub fn is_in_time(began: Instant) -> bool {
    began.elapsed() < LOOK_FOR
}

/// A request's body as it was read, in case it is to be sent once more.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<KeptBytes>>);

#[derive(Default)]
struct KeptBytes {
    bytes: Vec<u8>,
    is_too_much: bool,
}

impl Kept {
    /// The body, of which at most so many bytes are kept while somebody reads it.
    pub fn of(body: Body, most: usize) -> (Self, Body) {
        let kept = Self::default();
        if body.is_end_stream() {
            return (kept, body);
        }
        let keeps = kept.clone();
        let stream = body.into_data_stream().inspect(move |piece| {
            let mut kept = keeps.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match piece {
                Ok(piece) if kept.bytes.len() + piece.len() <= most => kept.bytes.extend_from_slice(piece),
                _ => {
                    kept.is_too_much = true;
                    kept.bytes = Vec::new();
                }
            }
        });
        (kept, Body::from_stream(stream))
    }

    /// All of it, as far as it was read; none if that is too much.
    pub fn bytes(&self) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        (!kept.is_too_much).then(|| Bytes::copy_from_slice(&kept.bytes))
    }
}

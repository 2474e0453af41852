//! A connection to another node that is neither a request nor a client's socket: bytes both ways, in order.
//! Next: `pass.rs`, which has the client.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::pass::{Nodes, Unreached, unreached};

/// How long the other node may take to take it.
const WITHIN: Duration = Duration::from_secs(1);

/// Names what such a connection is of, in its `Upgrade`.
pub const DIALLED: HeaderValue = HeaderValue::from_static("salon");

impl Nodes {
    /// Opens a connection to what the node at `address` has at `path`.
    ///
    /// # Errors
    /// It does not answer, or not in time, or has nothing there.
    pub async fn dial(&self, address: &str, path: &str) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, Unreached> {
        let mut headers = HeaderMap::new();
        self.secret.sign(&mut headers, None);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, DIALLED);
        let asked = self.client.get(format!("http://{address}{path}")).headers(headers).send();
        let answer = tokio::time::timeout(WITHIN, asked).await;
        let answer = answer.map_err(|_| Unreached::NoAnswer("it takes too long".to_owned()))?.map_err(unreached)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Unreached::NoAnswer(format!("it says {}", answer.status())));
        }
        answer.upgrade().await.map_err(unreached)
    }
}

/// The answer to a request for such a connection.
pub fn switching<B: Default>() -> Response<B> {
    let mut answer = Response::new(B::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer.headers_mut().insert(header::UPGRADE, DIALLED);
    answer
}

/// The first address of a node's port.
///
/// # Errors
/// Nothing is known by that name.
pub async fn look_up(address: &str) -> std::io::Result<SocketAddr> {
    let mut found = tokio::net::lookup_host(address).await?;
    found.next().ok_or_else(|| std::io::Error::other("nothing has that name"))
}

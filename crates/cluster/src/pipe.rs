//! A websocket whose session is on another node: bytes both ways, as they come.
//! Invariant: what one side does not take, the other cannot send: each way holds one buffer. Whatever becomes of the other
//! node, the client hears a close that has it come back.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Request;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::frames::Frames;
use crate::pass::{Answer, Nodes, Unreached, unreached};
use crate::secret::REACHED;

/// What each way holds.
const BUFFER_BYTES: usize = 8 * 1024;

/// How long a node may take to take a websocket in.
const WITHIN: Duration = Duration::from_secs(2);

/// How long one side may take nothing of what there is for it. More than the node with the session gives its clients.
const STALLED: Duration = Duration::from_secs(15);

/// How long a client may take to read why it is let go.
const GOODBYE: Duration = Duration::from_secs(1);

/// A close with 1012, "service restart" (RFC 6455 and its registry): clients come back.
const RESTART: [u8; 4] = [0x88, 0x02, 0x03, 0xf4];

impl Nodes {
    /// Has the node at `address` answer a request for a websocket. If it takes it in, what becomes of the answer is a pipe,
    /// until either side is gone or `cut` is cancelled; `held` is kept as long. `reached` is where this node's port for nodes is,
    /// if media may be here.
    ///
    /// # Errors
    /// It does not answer, or not in time.
    pub async fn pipe(
        &self,
        address: &str,
        request: &mut Parts,
        (peer, reached): (Option<SocketAddr>, Option<&str>),
        cut: CancellationToken,
        held: impl Send + 'static,
    ) -> Result<Answer, Unreached> {
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = request.headers.clone();
        self.secret.sign(&mut headers, peer);
        headers.remove(REACHED);
        if let Some(reached) = reached.and_then(|reached| HeaderValue::from_str(reached).ok()) {
            headers.insert(REACHED, reached);
        }
        let asked = self.client.get(format!("http://{address}{path}")).headers(headers).send();
        let answer = tokio::time::timeout(WITHIN, asked).await;
        let answer = answer.map_err(|_| Unreached::NoAnswer("it takes too long".to_owned()))?.map_err(unreached)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer.into());
        }
        let mut switching = Answer::new(reqwest::Body::from(""));
        *switching.status_mut() = answer.status();
        *switching.headers_mut() = answer.headers().clone();
        let node = answer.upgrade().await.map_err(unreached)?;
        let mut carrier = Request::new(());
        *carrier.extensions_mut() = std::mem::take(&mut request.extensions);
        let client = hyper::upgrade::on(&mut carrier);
        tokio::spawn(async move {
            if let Ok(client) = client.await {
                carry(TokioIo::new(client), node, cut).await;
            }
            drop(held);
        });
        Ok(switching)
    }
}

/// Carries bytes until either side is gone.
async fn carry(client: impl AsyncRead + AsyncWrite + Unpin, node: impl AsyncRead + AsyncWrite + Unpin, cut: CancellationToken) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_node, mut to_node) = tokio::io::split(node);
    let mut frames = Frames::default();
    let up = copy(&mut from_client, &mut to_node, |_| {});
    let down = copy(&mut from_node, &mut to_client, |bytes| frames.pass(bytes));
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        () = down => {}
        () = up => {}
    }
    drop((from_node, to_node));
    let goodbye = async {
        if frames.may_close() {
            to_client.write_all(&RESTART).await?;
        }
        to_client.shutdown().await?;
        // Closed with something unread, the system would reset the connection, and nobody would read why.
        let mut rest = [0; 1024];
        while from_client.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

/// Until there is nothing more, or it is not taken.
async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin), mut note: impl FnMut(&[u8])) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        note(&buffer[..read]);
        let written = async {
            to.write_all(&buffer[..read]).await?;
            to.flush().await
        };
        if !matches!(tokio::time::timeout(STALLED, written).await, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn a_client_whose_node_dies_is_told_to_come_back() {
        let ((mut client, near), (far, mut node)) = (duplex(64), duplex(64));
        let carried = tokio::spawn(carry(near, far, CancellationToken::new()));
        client.write_all(b"up").await.unwrap();
        let mut heard = [0; 2];
        node.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"up");
        node.write_all(&[0x81, 2, b'h', b'i']).await.unwrap();
        drop(node);
        let mut heard = [0; 8];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, [0x81, 2, b'h', b'i', 0x88, 2, 3, 0xf4]);
        drop(client);
        carried.await.unwrap();
    }

    #[tokio::test]
    async fn half_a_frame_is_followed_by_nothing() {
        let ((mut client, near), (far, mut node)) = (duplex(64), duplex(64));
        tokio::spawn(carry(near, far, CancellationToken::new()));
        node.write_all(&[0x81, 9, b'h']).await.unwrap();
        drop(node);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, [0x81, 9, b'h']);
    }

    #[tokio::test]
    async fn a_pipe_that_is_cut_says_so_to_the_client() {
        let ((mut client, near), (far, _node)) = (duplex(64), duplex(64));
        let cut = CancellationToken::new();
        tokio::spawn(carry(near, far, cut.clone()));
        cut.cancel();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, RESTART);
    }

    /// What the client does not read, the node cannot send without end.
    #[tokio::test]
    async fn a_client_that_does_not_read_holds_the_node_up() {
        let ((_client, near), (far, mut node)) = (duplex(64), duplex(64));
        tokio::spawn(carry(near, far, CancellationToken::new()));
        let sent = tokio::time::timeout(Duration::from_millis(200), async {
            let mut sent = 0;
            loop {
                node.write_all(&[0; 64]).await.unwrap();
                sent += 64;
                if sent > 64 * 1024 {
                    return sent;
                }
            }
        });
        assert!(sent.await.is_err(), "it is taken although nobody reads it");
    }
}

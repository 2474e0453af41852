//! A websocket's connection: messages in and out, and what another process needs to go on between two of them.
//! Invariant: whoever reads here never has half a message.
//! Next: `frames.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::signaling::frames::Frames;

/// What a socket holds for reading and for writing, even while nothing happens. Messages may be longer; most are shorter.
const BUFFER_BYTES: usize = 4 * 1024;

/// A connection that became a websocket.
pub type Socket = WebSocketStream<Whole>;

/// A connection, whatever it is made of.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Connection for C {}

/// Gives whole messages only.
pub struct Whole {
    connection: Box<dyn Connection>,
    frames: Frames,
}

/// A socket with messages of at most so many bytes, of which another process has read the beginning.
pub async fn socket(connection: impl Connection + 'static, max: usize, read: Vec<u8>) -> Socket {
    let whole = Whole { connection: Box::new(connection), frames: Frames::new(max, read) };
    let config = WebSocketConfig::default().max_message_size(Some(max)).max_frame_size(Some(max));
    let config = config.read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
    WebSocketStream::from_raw_socket(whole, Role::Server, Some(config)).await
}

/// Makes a request's connection a websocket: what it becomes, and what the client is told. Or why it cannot be one.
pub async fn upgrade(parts: &mut Parts) -> Result<(OnUpgrade, Response), Response> {
    let becomes = parts.extensions.get::<OnUpgrade>().cloned();
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).cloned();
    // It says what is wrong with a request, and would keep the connection to itself.
    let _ = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(IntoResponse::into_response)?;
    let (Some(becomes), Some(key)) = (becomes, key) else { return Err(StatusCode::BAD_REQUEST.into_response()) };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| StatusCode::BAD_REQUEST.into_response())?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok((becomes, response))
}

impl Whole {
    /// What has come of the next messages; none if another process cannot go on here.
    pub fn rest(&self) -> Option<&[u8]> {
        self.frames.rest()
    }
}

impl AsyncRead for Whole {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let whole = self.frames.take(buffer.remaining());
            if !whole.is_empty() {
                buffer.put_slice(whole);
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0; BUFFER_BYTES];
            let mut some = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.connection).poll_read(context, &mut some))?;
            if some.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.frames.push(some.filled());
        }
    }
}

impl AsyncWrite for Whole {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

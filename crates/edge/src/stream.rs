//! A connection that notes what goes over it, and its place in the crowd for as long as it is there.
//! Invariant: the place is given back when the last who holds it is gone, also after a websocket has taken it over.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::crowd::Crowd;
use crate::line::{Line, Phase};

/// A connection's place in the crowd.
#[derive(Debug)]
pub(crate) struct Place {
    pub crowd: Arc<Crowd>,
    pub group: Option<IpAddr>,
    pub line: Arc<Line>,
}

impl Place {
    pub fn turn(&self, phase: Phase) {
        self.crowd.turn(self.group, &self.line, phase);
    }

    /// The body of the request is there, or of no interest.
    pub fn has_body(&self) {
        self.crowd.turn_from(self.group, &self.line, Phase::Sending, Phase::Busy);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.leave(self.group, &self.line);
    }
}

/// A connection that notes.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    place: Arc<Place>,
    /// What another process has read already.
    before: Bytes,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream, place: Arc<Place>, before: Bytes) -> Self {
        Self { tcp, place, before }
    }

    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(0) | Err(_)) => {}
            Poll::Ready(Ok(_)) => self.place.line.takes(true),
            Poll::Pending => self.place.line.takes(false),
        }
        written
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = match self.before.len().min(buffer.remaining()) {
            0 => Pin::new(&mut self.tcp).poll_read(context, buffer),
            some => {
                buffer.put_slice(&self.before.split_to(some));
                Poll::Ready(Ok(()))
            }
        };
        if buffer.filled().len() > before {
            self.place.line.hears(&buffer.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(context, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(context, bytes);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

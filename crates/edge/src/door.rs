//! The port for HTTP, and whether a connection on it is for something else.
//! People whose network lets no UDP out can reach only a port that serves the web, so media and HTTP share one: the first
//! byte tells them apart. Where a proxy stands before it, media has ports of its own.
//! Invariant: who says nothing keeps nobody waiting, and is treated as HTTP in the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Connections that have said nothing yet. Past it new ones are HTTP at once, so that a flood of silent ones costs those
/// their calls who need TCP, and nobody their page.
const SILENT: usize = 2_048;

/// How long to wait for the first byte. Clients of the media server send it at once.
const FIRST_BYTE_WITHIN: Duration = Duration::from_secs(10);

/// What takes connections that are not HTTP.
#[derive(Clone)]
pub struct Aside {
    /// Whether a connection that begins with this byte is for it.
    pub begins: fn(u8) -> bool,
    /// Takes one; must not wait.
    pub take: Arc<dyn Fn(TcpStream) + Send + Sync>,
}

/// The port for HTTP, and for something else that may come there.
pub struct Door {
    http: TcpListener,
    aside: Option<Aside>,
    silent: FuturesUnordered<BoxFuture<'static, Visitor>>,
}

/// A connection, and whether it is for something else.
struct Visitor {
    stream: TcpStream,
    from: SocketAddr,
    aside: bool,
}

impl Door {
    /// With `aside`, connections that are for it go there.
    pub fn new(http: TcpListener, aside: Option<Aside>) -> Self {
        Self { http, aside, silent: FuturesUnordered::new() }
    }
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            tokio::select! {
                (stream, from) = accept(&mut self.http) => match &self.aside {
                    Some(aside) if self.silent.len() < SILENT => self.silent.push(Box::pin(first_byte(stream, from, aside.begins))),
                    _ => return (stream, from),
                },
                Some(Visitor { stream, from, aside }) = self.silent.next() => match &self.aside {
                    Some(other) if aside => (other.take)(stream),
                    _ => return (stream, from),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.http.local_addr()
    }
}

/// The next connection. What is written to it leaves at once: gathered, the second of two answers would wait until the
/// client has acknowledged the first, which clients put off for some 40 ms.
async fn accept(listener: &mut TcpListener) -> (TcpStream, SocketAddr) {
    let (stream, from) = Listener::accept(listener).await;
    let _ = stream.set_nodelay(true);
    (stream, from)
}

async fn first_byte(stream: TcpStream, from: SocketAddr, begins: fn(u8) -> bool) -> Visitor {
    let mut first = [0];
    let said = tokio::time::timeout(FIRST_BYTE_WITHIN, stream.peek(&mut first)).await;
    Visitor { stream, from, aside: matches!(said, Ok(Ok(1))) && begins(first[0]) }
}

/// A port that is for something else only, until the node stops.
pub async fn aside_only(mut listener: TcpListener, aside: Aside, stop: CancellationToken) {
    while let Some((stream, _)) = stop.run_until_cancelled(accept(&mut listener)).await {
        (aside.take)(stream);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_first_byte_tells_what_a_connection_is_for() {
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = http.local_addr().unwrap();
        let (told, taken) = tokio::sync::oneshot::channel();
        let told = Mutex::new(Some(told));
        let take = Arc::new(move |stream| {
            let told = told.lock().unwrap().take().expect("one connection is for it");
            told.send(stream).expect("the test waits");
        });
        let mut door = Door::new(http, Some(Aside { begins: |byte| byte == 0, take }));
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut other = TcpStream::connect(address).await.unwrap();
        other.write_all(&[0, 7]).await.unwrap();
        let mut web = TcpStream::connect(address).await.unwrap();
        web.write_all(b"GET /").await.unwrap();
        let (mut accepted, from) = door.accept().await;
        assert_eq!(from, web.local_addr().unwrap(), "who says nothing keeps nobody waiting");
        let mut said = [0; 5];
        accepted.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"GET /");
        // It came before the web's, so the door has dealt with it or will on the next round.
        let next = tokio::spawn(async move { door.accept().await.1 });
        let mut taken = taken.await.unwrap();
        let mut said = [0; 2];
        taken.read_exact(&mut said).await.unwrap();
        assert_eq!(said, [0, 7], "the byte that told is still there");
        silent.write_all(b"G").await.unwrap();
        assert_eq!(next.await.unwrap(), silent.local_addr().unwrap());
    }

    #[tokio::test]
    async fn nothing_is_gathered_before_it_leaves_by_whichever_way_a_connection_came() {
        let (told, mut taken) = tokio::sync::mpsc::unbounded_channel();
        let aside = || {
            let told = told.clone();
            Aside { begins: |byte| byte == 0, take: Arc::new(move |stream| told.send(stream).expect("the test waits")) }
        };
        let listener = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let said = async |at: &TcpListener, first: u8| {
            let mut client = TcpStream::connect(at.local_addr().unwrap()).await.unwrap();
            client.write_all(&[first]).await.unwrap();
            client
        };
        let alone = listener().await;
        let _web = said(&alone, b'G').await;
        assert!(Door::new(alone, None).accept().await.0.nodelay().unwrap(), "a port for HTTP alone");

        let shared = listener().await;
        let (_other, _web) = (said(&shared, 0).await, said(&shared, b'G').await);
        let mut door = Door::new(shared, Some(aside()));
        assert!(door.accept().await.0.nodelay().unwrap(), "HTTP on a shared port");
        tokio::select! {
            _ = door.accept() => unreachable!("nobody else comes"),
            stream = taken.recv() => assert!(stream.unwrap().nodelay().unwrap(), "something else on it"),
        }

        let only = listener().await;
        let _other = said(&only, 0).await;
        tokio::spawn(aside_only(only, aside(), CancellationToken::new()));
        assert!(taken.recv().await.unwrap().nodelay().unwrap(), "a port for something else only");
    }
}

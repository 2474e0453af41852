//! HTTP/1 on one connection, with an end to everybody's patience.
//! Invariant: a request that a proxy might read otherwise than we do is refused: with no `Host`, or with two.
//! Next: `line.rs`, when a connection's time is over.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, Version, header};
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use salon_handover::{Descriptor, Guest, Parcel, Phase as Handover};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::line::{Patience, Phase};
use crate::stream::{Place, Stream};

/// Longest head of a request, in bytes; hyper takes at most 100 headers. Tokens in the addresses of websockets have about
/// 1,000, the cookies of other pages on the same domain may have several thousand.
const HEAD_BYTES: usize = 32 * 1024;

/// What a connection holds for reading, and for writing, at most.
const BUFFER_BYTES: usize = 64 * 1024;

/// How often a connection is looked at: its time may be over sooner than it was when it was looked at last.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whoever is connected.
pub(crate) struct Visit {
    pub tcp: TcpStream,
    pub from: SocketAddr,
    pub place: Arc<Place>,
    /// What another process has read of its next request.
    pub before: Bytes,
    pub guest: Guest,
    /// Through which it came.
    pub door: Name,
}

/// Which of its doors a process means.
#[derive(Clone, Debug)]
pub(crate) struct Name(pub Arc<str>);

impl Name {
    /// A connection that came through it, for the next process; `idle` if it has been answered before.
    pub fn parcel(&self, (descriptor, from): (RawFd, SocketAddr), idle: bool, read: Vec<u8>) -> Parcel {
        let (what, note) = (Self::connections(&self.0), format!("{from} {}", u8::from(idle)));
        Parcel { what, note, bytes: read, descriptors: vec![descriptor] }
    }

    pub fn connections(name: &str) -> String {
        format!("visit {name}")
    }

    /// Who that was, and whether it was idle.
    pub fn read(note: &str) -> Option<(SocketAddr, bool)> {
        let (from, idle) = note.split_once(' ')?;
        Some((from.parse().ok()?, idle == "1"))
    }
}

/// Serves a connection until it ends, its time is over, or it is told to close.
pub(crate) async fn serve(
    Visit { tcp, from, place, before, mut guest, door }: Visit,
    router: Router,
    patience: &Patience,
    stop: &CancellationToken,
) {
    let (line, app, descriptor) = (place.line.clone(), TowerToHyperService::new(router), Descriptor(tcp.as_raw_fd()));
    let stream = TokioIo::new(Stream::new(tcp, place.clone(), before));
    let answers = service_fn(move |request| {
        let (place, app) = (place.clone(), app.clone());
        async move { Ok::<_, Infallible>(answer(place, app, (from, descriptor), request).await) }
    });
    let mut http = http1::Builder::new();
    http.max_header_size(HEAD_BYTES).max_buf_size(BUFFER_BYTES);
    let mut connection = pin!(http.serve_connection(stream, answers).with_upgrades());
    let (mut stopping, mut closing, mut known) = (false, false, Handover::Open);
    loop {
        // Once a handover has begun nothing is read any more that is not a part of what is under way.
        let rests = || if closing { line.rests() } else { None };
        let goes_on = poll_fn(|context| match rests() {
            Some(read) => Poll::Ready(Some(read)),
            None => match connection.as_mut().poll(context) {
                // Whatever ended it, nobody is left to be told.
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => rests().map_or(Poll::Pending, |read| Poll::Ready(Some(read))),
            },
        });
        let soon = Instant::now() + LOOK_EVERY;
        let look_at = line.deadline(patience).map_or(soon, |at| at.min(soon));
        tokio::select! {
            rests = goes_on => {
                let Some(read) = rests else { return };
                guest.pack(door.parcel((descriptor.0, from), line.phase() == Phase::Idle, read));
                guest.report();
                tokio::select! {
                    () = guest.is_over() => (known, closing) = (Handover::Open, false),
                    () = line.close.cancelled() => return,
                    () = stop.cancelled() => return,
                }
            }
            phase = guest.turns(known) => {
                known = phase;
                closing = phase != Handover::Open;
                if closing && line.is_cut_off() {
                    guest.report();
                }
            }
            () = line.close.cancelled() => return,
            () = stop.cancelled(), if !stopping => {
                if line.phase() == Phase::Idle || line.is_unheard() {
                    return;
                }
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep_until(look_at) => {
                if line.deadline(patience).is_some_and(|at| at <= Instant::now()) {
                    return;
                }
            }
        }
    }
}

async fn answer(
    place: Arc<Place>,
    app: TowerToHyperService<Router>,
    (from, descriptor): (SocketAddr, Descriptor),
    request: Request<Incoming>,
) -> Response<Answer> {
    place.line.has_head(request.body().is_end_stream());
    if !has_one_host(&request) {
        place.turn(Phase::Busy);
        let mut refused = Response::new(Answer { body: Body::from(ONE_HOST), place: Some(place) });
        *refused.status_mut() = StatusCode::BAD_REQUEST;
        refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        refused.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        return refused;
    }
    let is_whole = request.body().is_end_stream();
    place.turn(if is_whole { Phase::Busy } else { Phase::Sending });
    let mut request = request.map(|body| match is_whole {
        true => Body::empty(),
        false => Body::new(Received { body, place: place.clone() }),
    });
    request.extensions_mut().insert(ConnectInfo(from));
    request.extensions_mut().insert(descriptor);
    let Ok(response) = app.call(request).await;
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        place.line.has_no_end();
    }
    // What becomes a websocket has bounds of its own, and stays.
    let place = (response.status() != StatusCode::SWITCHING_PROTOCOLS).then_some(place);
    response.map(|body| Answer { body, place })
}

/// What a client with none or two is told.
const ONE_HOST: &str = "A request must have exactly one Host header (RFC 9112, section 3.2)\n";

/// RFC 9112 section 3.2; HTTP/1.0 may do without.
fn has_one_host<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

/// The body of a request, which says when it is there.
struct Received {
    body: Incoming,
    place: Arc<Place>,
}

impl hyper::body::Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() && self.body.is_end_stream() {
            self.place.has_body();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.place.has_body();
    }
}

/// The body of an answer, after which the connection is idle.
struct Answer {
    body: Body,
    place: Option<Arc<Place>>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.turn(Phase::Idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use axum::routing::{any, get};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::crowd::Bounds;
    use crate::door::Door;
    use crate::figures::Figures;

    const LONG: Duration = Duration::from_secs(60);

    /// For what is to happen at once, on a machine that has other things to do.
    const SOON: Duration = Duration::from_secs(20);

    /// Takes over a connection as a websocket does, and says back what comes.
    async fn echo(mut request: Request<Body>) -> Response<Body> {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut line = TokioIo::new(upgrade.await.unwrap());
            let mut byte = [0];
            while line.read_exact(&mut byte).await.is_ok() && line.write_all(&byte).await.is_ok() {}
        });
        let mut switching = Response::new(Body::empty());
        *switching.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        switching.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("echo"));
        switching.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        switching
    }

    async fn open(bounds: Bounds, patience: Patience) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/size", any(|body: Bytes| async move { body.len().to_string() }))
            .route("/headers", get(|headers: HeaderMap| async move { headers.len().to_string() }))
            .route("/large", get(|| async { vec![0; 50_000_000] }))
            .route("/echo", get(echo));
        tokio::spawn(Door::new(listener, None, bounds, patience, &Figures::default()).serve(router, CancellationToken::new()));
        at
    }

    fn patience(change: impl FnOnce(&mut Patience)) -> Patience {
        let mut patience = Patience { head: LONG, idle: LONG, stalled: LONG };
        change(&mut patience);
        patience
    }

    async fn says(at: SocketAddr, text: &str) -> TcpStream {
        let mut client = TcpStream::connect(at).await.unwrap();
        client.write_all(text.as_bytes()).await.unwrap();
        client
    }

    /// All that comes until the other side closes.
    async fn rest(client: &mut TcpStream) -> String {
        let mut bytes = Vec::new();
        // A reset is as good.
        let _ = tokio::time::timeout(SOON, client.read_to_end(&mut bytes)).await.expect("closed in time");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What comes, until it ends like this.
    async fn until(client: &mut TcpStream, end: &str) {
        let mut heard = String::new();
        while !heard.ends_with(end) {
            let mut byte = [0];
            tokio::time::timeout(SOON, client.read_exact(&mut byte)).await.expect("in time").expect(&heard);
            heard.push(byte[0].into());
        }
    }

    #[tokio::test]
    async fn a_request_that_is_not_sent_to_its_end_does_not_stay() {
        let at = open(Bounds::of_tests(), patience(|patience| patience.head = Duration::from_millis(300))).await;
        for half in ["", "GET", "GET / HTTP/1.1\r\nhost: x\r\nx: y"] {
            assert_eq!(rest(&mut says(at, half).await).await, "", "{half}");
        }
        // Nor one that follows another, for which a connection may be idle much longer.
        let mut client = says(at, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        until(&mut client, "here").await;
        client.write_all(b"GET / HT").await.unwrap();
        assert_eq!(rest(&mut client).await, "");
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_stay() {
        let at = open(Bounds::of_tests(), patience(|patience| patience.idle = Duration::from_millis(300))).await;
        let mut client = says(at, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        until(&mut client, "here").await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        until(&mut client, "here").await;
        assert_eq!(rest(&mut client).await, "");
    }

    #[tokio::test]
    async fn who_does_not_take_its_answer_does_not_stay() {
        let at = open(Bounds::of_tests(), patience(|patience| patience.stalled = Duration::from_millis(300))).await;
        let mut client = says(at, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut other = says(at, "GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(rest(&mut other).await.len() > 50_000_000, "who reads gets all of it");
        until(&mut client, "\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert!(rest(&mut client).await.len() < 50_000_000, "who was away does not");
    }

    #[tokio::test]
    async fn a_request_has_one_host() {
        let at = open(Bounds::of_tests(), patience(|_| {})).await;
        for (head, status) in [
            ("HTTP/1.1\r\nhost: x", 200),
            ("HTTP/1.0\r\nhost: x", 200),
            ("HTTP/1.0", 200),
            ("HTTP/1.1", 400),
            ("HTTP/1.1\r\nhost: x\r\nhost: x", 400),
            ("HTTP/1.1\r\nhost: x\r\nHost: y", 400),
            ("HTTP/1.0\r\nhost: x\r\nhost: y", 400),
        ] {
            let mut client = says(at, &format!("GET / {head}\r\nconnection: close\r\n\r\n")).await;
            let said = rest(&mut client).await;
            assert_eq!(said.split(' ').nth(1), Some(status.to_string().as_str()), "{head}: {said}");
        }
    }

    #[tokio::test]
    async fn heads_have_a_size() {
        let at = open(Bounds::of_tests(), patience(|_| {})).await;
        let long = "y".repeat(20_000);
        let mut client = says(at, &format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\nconnection: close\r\n\r\n")).await;
        assert!(rest(&mut client).await.starts_with("HTTP/1.1 200 "));
        for head in [format!("x: {long}\r\n").repeat(2), "x: y\r\n".repeat(101)] {
            let mut client = says(at, &format!("GET / HTTP/1.1\r\nhost: x\r\n{head}")).await;
            let _ = client.write_all(b"\r\n").await;
            let said = rest(&mut client).await;
            assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
        }
    }

    #[tokio::test]
    async fn when_all_places_are_taken_half_sent_requests_make_room() {
        // Six in all, from one address that may be anybody's.
        let bounds = Bounds { proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Bounds::of_tests() };
        let at = open(bounds, patience(|_| {})).await;
        let mut line = says(at, "GET /echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await;
        until(&mut line, "\r\n\r\n").await;
        let mut sending = says(at, "PUT /size HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nconnection: close\r\n\r\nab").await;
        let mut idle = says(at, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        until(&mut idle, "here").await;
        let mut half = Vec::new();
        for _ in 0..40 {
            half.push(says(at, "GET / HTTP/1.1\r\nx: y").await);
            let mut client = says(at, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
            assert!(rest(&mut client).await.ends_with("here"), "whoever sends a whole request is answered");
        }
        assert_eq!(rest(&mut half[0]).await, "");
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        until(&mut idle, "here").await;
        sending.write_all(b"cd").await.unwrap();
        assert!(rest(&mut sending).await.ends_with("\r\n4"));
        line.write_all(b"!").await.unwrap();
        until(&mut line, "!").await;
    }
}

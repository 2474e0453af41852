//! The port for HTTP, and whether a connection on it is for something else.
//! People whose network lets no UDP out can reach only a port that serves the web, so media and HTTP share one: the first
//! byte tells them apart. Where a proxy stands before it, media has ports of its own.
//! Invariant: who says nothing keeps nobody waiting, and is let go in the end.
//! Next: `crowd.rs`, how many there may be; `http.rs`, what becomes of those that are HTTP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use salon_handover::Phase::Closing;
use salon_handover::{Parcel, Part, Passage, Unpacked};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::crowd::{Bounds, Crowd};
use crate::figures::Figures;
use crate::http::{self, Name, Visit};
use crate::line::{Line, Patience, Phase};
use crate::port::Port;
use crate::stream::{Place, Stream};

/// How soon to look again when the system gives no more connections.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How often it is told that connections are turned away.
const TELL_EVERY: Duration = Duration::from_secs(60);

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
    reception: Arc<Reception>,
    /// Connections of another process.
    handed: Vec<Unpacked>,
}

/// What becomes of those who come.
struct Reception {
    aside: Option<Aside>,
    crowd: Arc<Crowd>,
    patience: Patience,
    name: Name,
    passage: Passage,
    /// Of the last connection.
    number: AtomicU64,
}

impl Door {
    /// With `aside`, connections that are for it go there.
    pub fn new(http: TcpListener, aside: Option<Aside>, bounds: Bounds, patience: Patience, figures: &Figures) -> Self {
        let (crowd, name, passage) = (Arc::new(Crowd::new(bounds, figures.clone())), Name("".into()), Passage::default());
        Self {
            http,
            reception: Arc::new(Reception { aside, crowd, patience, name, passage, number: AtomicU64::new(0) }),
            handed: Vec::new(),
        }
    }

    /// By this name its port and its connections are handed over, and it goes on with what another process packed under it: see
    /// [`Door::connections`].
    pub fn passing(mut self, passage: &Passage, name: &str, handed: Vec<Unpacked>) -> Self {
        let Reception { aside, crowd, patience, .. } = &*self.reception;
        let (aside, crowd, patience) = (aside.clone(), crowd.clone(), patience.clone());
        let (name, passage, number) = (Name(name.into()), passage.clone(), AtomicU64::new(0));
        self.reception = Arc::new(Reception { aside, crowd, patience, name, passage, number });
        Self { handed, ..self }
    }

    /// What connections of a door of this name are packed as.
    pub fn connections(name: &str) -> String {
        Name::connections(name)
    }

    /// A place for a connection that is no HTTP any more, of another process.
    pub fn seats(&self) -> impl Fn(OwnedFd) -> Option<Stream> + Clone + Send + use<> {
        let reception = self.reception.clone();
        move |descriptor| {
            let tcp = stream(descriptor)?;
            let from = tcp.peer_addr().ok()?;
            let place = reception.seat(from)?;
            place.turn(Phase::Busy);
            Some(Stream::new(tcp, place, Bytes::new()))
        }
    }

    /// Answers requests until told to stop, and then those that are there.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let (visits, mut told) = (TaskTracker::new(), None);
        let mut complain = move |why: &str| {
            if told.is_none_or(|at: Instant| at.elapsed() >= TELL_EVERY) {
                told = Some(Instant::now());
                tracing::warn!(why, "connections are turned away; see http.connections and the limit of open files");
            }
        };
        for visit in self.handed {
            let tcp = visit.descriptors.into_iter().next().and_then(stream);
            let (Some(tcp), Some((from, idle))) = (tcp, Name::read(&visit.note)) else { continue };
            let Some(place) = self.reception.seat(from) else { continue };
            if idle {
                place.turn(Phase::Idle);
            }
            let guest = self.reception.passage.enter(Part::Door);
            let visit = Visit { tcp, from, place, before: visit.bytes.into(), guest, door: self.reception.name.clone() };
            visits.spawn(receive(self.reception.clone(), visit, router.clone(), stop.clone()));
        }
        let mut guest = self.reception.passage.enter(Part::Door);
        while !stop.is_cancelled() {
            let accepted = tokio::select! {
                accepted = accept(&self.http) => accepted,
                () = stop.cancelled() => break,
                () = guest.reaches(Closing) => {
                    guest.pack(port(&self.http, &self.reception.name.0));
                    guest.report();
                    stop.run_until_cancelled(guest.is_over()).await;
                    continue;
                }
            };
            let (tcp, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    complain(&error.to_string());
                    self.reception.crowd.dismiss();
                    tokio::time::sleep(AGAIN_AFTER).await;
                    continue;
                }
            };
            let Some(place) = self.reception.seat(from) else {
                complain("there are as many as there may be");
                continue;
            };
            let guest = self.reception.passage.enter(Part::Door);
            let visit = Visit { tcp, from, place, before: Bytes::new(), guest, door: self.reception.name.clone() };
            visits.spawn(receive(self.reception.clone(), visit, router.clone(), stop.clone()));
        }
        visits.close();
        visits.wait().await;
    }
}

impl Reception {
    /// A place in the crowd, if there is one.
    fn seat(&self, from: SocketAddr) -> Option<Arc<Place>> {
        let id = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let (crowd, line) = (self.crowd.clone(), Arc::new(Line::new(id, Instant::now())));
        let group = crowd.enter(from.ip(), &line).ok()?;
        Some(Arc::new(Place { crowd, group, line }))
    }
}

/// A connection of another process.
fn stream(descriptor: OwnedFd) -> Option<TcpStream> {
    let stream = std::net::TcpStream::from(descriptor);
    stream.set_nonblocking(true).ok()?;
    TcpStream::from_std(stream).ok()
}

/// A port for the next process.
fn port(listener: &TcpListener, name: &str) -> Parcel {
    Parcel { what: Port::packed_as(name), descriptors: vec![listener.as_raw_fd()], ..Parcel::default() }
}

/// The next connection. What is written to it leaves at once: gathered, the second of two answers would wait until the
/// client has acknowledged the first, which clients put off for some 40 ms.
async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let _ = stream.set_nodelay(true);
                return Ok((stream, from));
            }
            // One that was given up before it was taken.
            Err(error) if is_of_one(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn receive(reception: Arc<Reception>, mut visit: Visit, router: Router, stop: CancellationToken) {
    let is_new = visit.before.is_empty() && visit.place.line.phase() == Phase::Head;
    if let Some(aside) = reception.aside.as_ref().filter(|_| is_new) {
        let (mut first, patience) = ([0], Instant::now() + reception.patience.head);
        let said = loop {
            break tokio::select! {
                said = visit.tcp.peek(&mut first) => said.unwrap_or(0),
                () = visit.place.line.close.cancelled() => 0,
                () = stop.cancelled() => 0,
                () = tokio::time::sleep_until(patience) => 0,
                () = visit.guest.reaches(Closing) => {
                    visit.guest.pack(reception.name.parcel((visit.tcp.as_raw_fd(), visit.from), false, Vec::new()));
                    visit.guest.report();
                    stop.run_until_cancelled(visit.guest.is_over()).await;
                    continue;
                }
            };
        };
        if said == 0 {
            return;
        }
        if (aside.begins)(first[0]) {
            // Whoever takes it has bounds of its own.
            drop(visit.place);
            return (aside.take)(visit.tcp);
        }
    }
    http::serve(visit, router, &reception.patience, &stop).await;
}

/// A port that is for something else only, until the node stops.
pub async fn aside_only(listener: TcpListener, aside: Aside, (passage, name): (Passage, String), stop: CancellationToken) {
    let mut guest = passage.enter(Part::Door);
    while !stop.is_cancelled() {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = stop.cancelled() => return,
            () = guest.reaches(Closing) => {
                guest.pack(port(&listener, &name));
                guest.report();
                stop.run_until_cancelled(guest.is_over()).await;
                continue;
            }
        };
        match accepted {
            Ok((stream, _)) => (aside.take)(stream),
            Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";

    async fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    fn patience() -> Patience {
        let long = Duration::from_secs(60);
        Patience { head: long, idle: long, stalled: long }
    }

    /// What is for zero.
    fn aside() -> (Aside, mpsc::UnboundedReceiver<TcpStream>) {
        let (told, taken) = mpsc::unbounded_channel();
        (Aside { begins: |byte| byte == 0, take: Arc::new(move |stream| told.send(stream).expect("the test waits")) }, taken)
    }

    async fn says(at: SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(at).await.unwrap();
        client.write_all(bytes).await.unwrap();
        client
    }

    async fn hears(client: &mut TcpStream) -> String {
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test]
    async fn the_first_byte_tells_what_a_connection_is_for() {
        let (http, (aside, mut taken)) = (listener().await, aside());
        let (at, stop) = (http.local_addr().unwrap(), CancellationToken::new());
        let router = Router::new().fallback(|| async { "the web" });
        let door = Door::new(http, Some(aside), Bounds::of_tests(), patience(), &Figures::default());
        let serving = tokio::spawn(door.serve(router, stop.clone()));
        let mut silent = TcpStream::connect(at).await.unwrap();
        let _other = says(at, &[0, 7]).await;
        let mut web = says(at, REQUEST).await;
        assert!(hears(&mut web).await.ends_with("the web"), "who says nothing keeps nobody waiting");
        let mut said = [0; 2];
        taken.recv().await.unwrap().read_exact(&mut said).await.unwrap();
        assert_eq!(said, [0, 7], "the byte that told is still there");
        silent.write_all(REQUEST).await.unwrap();
        assert!(hears(&mut silent).await.ends_with("the web"));
        let mut silent = TcpStream::connect(at).await.unwrap();
        // They are taken one after the other: whoever is answered came after one that was taken.
        assert!(hears(&mut says(at, REQUEST).await).await.ends_with("the web"));
        stop.cancel();
        serving.await.unwrap();
        assert_eq!(hears(&mut silent).await, "");
    }

    #[tokio::test]
    async fn nothing_is_gathered_before_it_leaves_by_whichever_way_a_connection_came() {
        let http = listener().await;
        let _web = says(http.local_addr().unwrap(), b"G").await;
        assert!(accept(&http).await.unwrap().0.nodelay().unwrap(), "HTTP");

        let (shared, (own, mut taken)) = (listener().await, aside());
        let _other = says(shared.local_addr().unwrap(), &[0]).await;
        let door = Door::new(shared, Some(own), Bounds::of_tests(), patience(), &Figures::default());
        tokio::spawn(door.serve(Router::new(), CancellationToken::new()));
        assert!(taken.recv().await.unwrap().nodelay().unwrap(), "something else on the same port");

        let (only, (own, mut taken)) = (listener().await, aside());
        let _other = says(only.local_addr().unwrap(), &[0]).await;
        tokio::spawn(aside_only(only, own, (Passage::default(), String::new()), CancellationToken::new()));
        assert!(taken.recv().await.unwrap().nodelay().unwrap(), "a port for something else only");
    }
}

//! A websocket whose session is on another node: bytes both ways, as they come.
//! Invariant: what one side does not take, the other cannot send: each way holds one buffer. Whatever becomes of the other
//! node, the client hears a close that has it come back. When this node becomes another program, that goes on with the pipe.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use salon_handover::{Descriptor, Guest, Parcel, Part, Passage, Phase, Unpacked};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::frames::Frames;
use crate::pass::{Answer, Nodes, Unreached};
use crate::secret::REACHED;

/// What pipes are packed as.
pub const PIPE: &str = "pipe";

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

/// What takes a pipe to the next process, and the name of the node behind it.
pub struct Passing {
    pub passage: Passage,
    pub node: String,
}

/// A pipe of another process.
pub struct Piped {
    /// The name of the node behind it.
    pub node: String,
    frames: Frames,
    client: OwnedFd,
    behind: TcpStream,
}

/// What is noted of a pipe.
#[derive(Deserialize)]
struct Note {
    node: String,
    frames: Frames,
}

impl Piped {
    /// None if it cannot be gone on with.
    pub fn unpack(packed: Unpacked) -> Option<Self> {
        let Note { node, frames } = serde_json::from_str(&packed.note).ok()?;
        let mut descriptors = packed.descriptors.into_iter();
        let (client, behind) = (descriptors.next()?, std::net::TcpStream::from(descriptors.next()?));
        behind.set_nonblocking(true).ok()?;
        Some(Self { node, frames, client, behind: TcpStream::from_std(behind).ok()? })
    }

    /// Carries bytes until either side is gone, or `cut`. `seat` gives the client's connection its place.
    pub async fn go_on<C: AsyncRead + AsyncWrite + Unpin>(
        self,
        seat: impl FnOnce(OwnedFd) -> Option<C>,
        passage: Passage,
        cut: CancellationToken,
    ) {
        let descriptors = [self.client.as_raw_fd(), self.behind.as_raw_fd()];
        let Some(client) = seat(self.client) else { return };
        let ways = Ways::new(Passing { passage, node: self.node }, Some(descriptors));
        carry(client, self.behind, self.frames, ways, cut).await;
    }
}

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
        (cut, passing): (CancellationToken, Passing),
        held: impl Send + 'static,
    ) -> Result<Answer, Unreached> {
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let asking = Request::get(path).body(reqwest::Body::from(""));
        let mut asking = asking.map_err(|error| Unreached::NotSent(error.to_string()))?;
        let headers = asking.headers_mut();
        headers.clone_from(&request.headers);
        self.secret.sign(headers, peer);
        if let Some(reached) = reached.and_then(|reached| HeaderValue::from_str(reached).ok()) {
            headers.insert(REACHED, reached);
        }
        if let (false, Ok(host)) = (headers.contains_key(HOST), HeaderValue::from_str(address)) {
            headers.insert(HOST, host);
        }
        let asked = tokio::time::timeout(WITHIN, ask(address, asking)).await;
        let (answer, behind) = asked.map_err(|_| Unreached::NoAnswer("it takes too long".to_owned()))??;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer.map(reqwest::Body::wrap));
        }
        let mut switching = Answer::new(reqwest::Body::from(""));
        *switching.status_mut() = answer.status();
        *switching.headers_mut() = answer.headers().clone();
        let node = hyper::upgrade::on(answer).await.map_err(|error| Unreached::NoAnswer(error.to_string()))?;
        let client = request.extensions.get::<Descriptor>().map(|Descriptor(client)| *client);
        let ways = Ways::new(passing, client.map(|client| [client, behind]));
        let mut carrier = Request::new(());
        *carrier.extensions_mut() = std::mem::take(&mut request.extensions);
        let client = hyper::upgrade::on(&mut carrier);
        tokio::spawn(async move {
            if let Ok(client) = client.await {
                carry(TokioIo::new(client), TokioIo::new(node), Frames::default(), ways, cut).await;
            }
            drop(held);
        });
        Ok(switching)
    }
}

/// Over a connection of its own; answers with the number of that.
async fn ask(
    address: &str,
    asking: Request<reqwest::Body>,
) -> Result<(hyper::Response<hyper::body::Incoming>, RawFd), Unreached> {
    let tcp = TcpStream::connect(address).await.map_err(|error| Unreached::NotSent(error.to_string()))?;
    let _ = tcp.set_nodelay(true);
    let descriptor = tcp.as_raw_fd();
    let handshake = http1::handshake(TokioIo::new(tcp)).await;
    let (mut sender, connection) = handshake.map_err(|error| Unreached::NotSent(error.to_string()))?;
    tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(asking).await.map_err(|error| Unreached::NoAnswer(error.to_string()))?;
    Ok((answer, descriptor))
}

/// Both ways of a pipe, as they take part in a handover.
struct Ways {
    up: Way,
    down: Way,
    node: String,
    /// Of the client's connection, and of the one behind.
    descriptors: Option<[RawFd; 2]>,
}

struct Way {
    guest: Guest,
    phase: Phase,
}

impl Ways {
    fn new(Passing { passage, node }: Passing, descriptors: Option<[RawFd; 2]>) -> Self {
        let way = || Way { guest: passage.enter(Part::Socket), phase: Phase::Open };
        Self { up: way(), down: way(), node, descriptors }
    }
}

/// Carries bytes until either side is gone.
async fn carry(
    client: impl AsyncRead + AsyncWrite + Unpin,
    node: impl AsyncRead + AsyncWrite + Unpin,
    frames: Frames,
    Ways { mut up, mut down, node: name, descriptors }: Ways,
    cut: CancellationToken,
) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_node, mut to_node) = tokio::io::split(node);
    let (frames, up_rests) = (Mutex::new(frames), AtomicBool::new(false));
    let frames = || frames.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let rests = |_: &Guest, phase| up_rests.store(phase != Phase::Open, Ordering::Release);
    // Neither way holds anything then: what comes is for the next process.
    let pack = |guest: &Guest, phase| {
        if let (Phase::Packing, true, Some(descriptors)) = (phase, up_rests.load(Ordering::Acquire), descriptors) {
            let note = serde_json::json!({ "node": name, "frames": &*frames() }).to_string();
            guest.pack(Parcel { what: PIPE.to_owned(), note, descriptors: descriptors.to_vec(), ..Parcel::default() });
        }
    };
    let up = copy(&mut from_client, &mut to_node, &mut up, |_| {}, rests);
    let down = copy(&mut from_node, &mut to_client, &mut down, |bytes| frames().pass(bytes), pack);
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        () = down => {}
        () = up => {}
    }
    drop((from_node, to_node));
    let may_close = frames().may_close();
    let goodbye = async {
        if may_close {
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

/// Until there is nothing more, or it is not taken. From a handover on nothing is read; `turned` is told how far that is.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    way: &mut Way,
    mut note: impl FnMut(&[u8]),
    turned: impl Fn(&Guest, Phase),
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = tokio::select! {
            phase = way.guest.turns(way.phase) => {
                way.phase = phase;
                turned(&way.guest, phase);
                way.guest.report();
                continue;
            }
            read = from.read(&mut buffer), if way.phase == Phase::Open => read,
        };
        let Ok(read @ 1..) = read else { return };
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

    fn ways() -> Ways {
        Ways::new(Passing { passage: Passage::default(), node: "n1".to_owned() }, None)
    }

    #[tokio::test]
    async fn a_client_whose_node_dies_is_told_to_come_back() {
        let ((mut client, near), (far, mut node)) = (duplex(64), duplex(64));
        let carried = tokio::spawn(carry(near, far, Frames::default(), ways(), CancellationToken::new()));
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
        tokio::spawn(carry(near, far, Frames::default(), ways(), CancellationToken::new()));
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
        tokio::spawn(carry(near, far, Frames::default(), ways(), cut.clone()));
        cut.cancel();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, RESTART);
    }

    /// What the client does not read, the node cannot send without end.
    #[tokio::test]
    async fn a_client_that_does_not_read_holds_the_node_up() {
        let ((_client, near), (far, mut node)) = (duplex(64), duplex(64));
        tokio::spawn(carry(near, far, Frames::default(), ways(), CancellationToken::new()));
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

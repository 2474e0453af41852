//! Where media goes: rooms, transports, producers and consumers. Knows packets, not meetings.
//! All that the outside may say is on [`Sfu`], all it hears is an [`Event`]; nothing is shared with the media threads but a list of names.
//! Invariant: every answer, refusal and bound is decided in the pure `engine`; the `driver` only moves bytes.
//! Next: `engine.rs` for the thinking, `driver.rs` for the thread.

// The engine's bench of clients serves its own tests and those of `inside`.
#![cfg_attr(any(test, feature = "inside"), allow(clippy::disallowed_methods, clippy::duplicate_mod))]

mod cap;
mod certificate;
mod counters;
mod driver;
mod engine;
mod ids;
#[cfg(any(test, feature = "inside"))]
#[doc(hidden)]
pub mod inside;
mod limits;
mod quality;
mod relay;
mod sdp;
mod tag;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use cap::{Beyond, Cap};
pub use certificate::Certificate;
pub use counters::{DropReason, Snapshot, TcpEnd};
pub use driver::{
    Connection, Handed, HandedTcp, Health, PACKED, Packed, PackedTcp, Relaying, Sfu, StartError, Told, addresses, begins_media,
    resume, start,
};
pub use ids::{OwnerId, ProducerId, RoomId, TransportId};
pub use limits::{Limits, RELAY_STREAMS};
pub use quality::{
    Because, ConsumerQuality, Goes, LayerQuality, LineQuality, ProducerQuality, QualityTotals, Reason, Spread, VoiceQuality,
};
pub use relay::keys::{Half, Keys};
pub use relay::news::News;
pub use sdp::Kind;
pub use tag::Tag;

/// How to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The UDP address of the first media thread; each further one has the next port. Port 0 takes free ones.
    pub bind: SocketAddr,
    /// Media threads. 0: one for each core. At most 64.
    pub threads: usize,
    /// All threads share one port. Linux only; what the kernel gives to the wrong thread is handed over.
    pub single_port: bool,
    /// Transports of one room that stay together on a thread while others have less to do. A room that spreads costs
    /// a little for each track and thread.
    pub room_per_thread: usize,
    /// The addresses clients are told, most preferred first; each is combined with the socket's port. Needed behind
    /// NAT. If empty: the bound address, or for an unspecified one all addresses of this machine.
    pub announce: Vec<IpAddr>,
    /// The addresses clients are told for TCP, for those whom UDP does not reach. Connections to them are for
    /// [`Sfu::adopt`]. If empty: none.
    pub tcp: Vec<SocketAddr>,
    /// Bounds on what the process holds.
    pub limits: Limits,
    /// A secret that outlives the process: with it, clients of connections that died with an earlier run are told so at
    /// once, instead of finding out after seconds. None makes one for this run only.
    pub secret: Option<Secret>,
    /// What clients are told to expect, the same in all runs. None makes one for this run only.
    pub certificate: Option<Certificate>,
    /// A folder, best on a file system in memory, in which connections outlive the process: a run that starts soon after one
    /// was killed goes on with them, on the same ports, and their clients notice a pause. Their keys are there, so it must be
    /// closed to others. None: they end with the process.
    pub memory: Option<PathBuf>,
    /// Where media of other nodes come in, and go out to them, on a thread of its own. None: each node is alone.
    pub relay: Option<SocketAddr>,
    /// Whether they can be handed over to another process, which needs a little memory for each: see [`Sfu::pack`].
    pub hand_over: bool,
}

/// What ICE passwords are made from. It does not show in logs.
#[derive(Clone)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Config {
    /// A thread for each core, the default limits, and no announced addresses.
    pub fn new(bind: SocketAddr) -> Self {
        Self {
            bind,
            threads: 0,
            single_port: false,
            room_per_thread: 400,
            announce: Vec::new(),
            tcp: Vec::new(),
            limits: Limits::default(),
            secret: None,
            certificate: None,
            memory: None,
            relay: None,
            hand_over: false,
        }
    }
}

impl Default for Config {
    /// Any free port on all IPv4 addresses.
    fn default() -> Self {
        Self::new(SocketAddr::from(([0, 0, 0, 0], 0)))
    }
}

/// Which way media goes on a transport, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The client publishes.
    Send,
    /// The client subscribes.
    Receive,
}

/// For whom a transport is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Whoever shares this name in a room shares its bounds.
    pub owner: OwnerId,
    /// Whether it is in the meeting already. Those who are not get few transports, and not for long.
    pub inside: bool,
    /// Whose transports they are, for a later run.
    pub tag: Tag,
    /// What the server wants to know of its transports when another run goes on with them.
    pub note: String,
}

/// A transport of a run that died, which goes on in this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// Its name.
    pub transport: TransportId,
    /// The room that it is in.
    pub room: RoomId,
    /// Which way media goes on it.
    pub role: Role,
    /// Whom it counts against, and the note of its [`Guest`].
    pub owner: OwnerId,
    pub note: String,
    /// What comes in on it, and whether that is of a screen.
    pub producers: Vec<(ProducerId, Kind, bool)>,
    /// What went out on it. What of that comes in at other nodes goes on with [`Sfu::go_on_consuming`].
    pub consumed: Vec<ProducerId>,
}

/// A new track of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Produce {
    /// The client's sending transport.
    pub transport: TransportId,
    /// A name for the producer; new, unless it goes on.
    pub producer: ProducerId,
    /// There is a producer of this name, of the same person, which goes on with what comes here: who receives it notices
    /// nothing but a key frame. It stays as paused as it is.
    pub goes_on: bool,
    /// Sound or pictures.
    pub kind: Kind,
    /// Screens get a media stream of their own, so that browsers do not keep them in step with the microphone.
    pub screen_share: bool,
    /// The best that may come of it; layers beyond go to nobody.
    pub cap: Cap,
    /// Whether to hold packets back until `pause_producer(.., false)`.
    pub paused: bool,
    /// Stream and track as in the offer's `a=msid` line; finds the m-line if `mid` does not.
    pub msid: String,
    /// The mid of the new m-line, if the client said it.
    pub mid: Option<String>,
    /// The client's offer with the new m-line in it.
    pub offer: String,
}

/// A wish to receive a producer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consume {
    /// Whose track.
    pub producer: ProducerId,
    /// The layer to start with, such as `f`; without it the best there is.
    pub preferred_rid: Option<String>,
}

/// What came of wishes to receive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumed {
    /// The server's offer, to be answered with `accept_answer`. None if no track waits for an answer. An earlier offer
    /// that was never answered is contained in this one.
    pub offer: Option<String>,
    /// The mid of each producer's m-line in the order asked, or why there is none.
    pub consumers: Vec<(ProducerId, Result<String, ConsumeError>)>,
}

/// Why a producer cannot be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ConsumeError {
    /// There is no such producer in the transport's room.
    #[error("no such producer in the room")]
    NotFound,
    /// The client speaks no codec for it, or has too many consumers.
    #[error("cannot be sent on this transport")]
    Backend,
}

/// What the server hears without asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// ICE and DTLS are up. Never lost.
    TransportConnected {
        /// Which one.
        transport: TransportId,
    },
    /// A transport died with all its producers and consumers. Never lost. Not told for transports that the server
    /// closed itself.
    TransportClosed {
        /// Which one.
        transport: TransportId,
        /// Why.
        reason: CloseReason,
    },
    /// A client's check for a transport of an earlier run, or one that has ended, was refused: it gives that up. Not told of
    /// clients that do not believe it. Dropped and counted when the server does not keep up.
    Refused {
        /// Whose it was.
        tag: Tag,
        /// Which way.
        role: Role,
    },
    /// How loud a producer is: at most every 200 ms while it speaks, and once when it stops. Dropped and counted when
    /// the server does not keep up.
    AudioLevel {
        /// Whose sound.
        producer: ProducerId,
        /// Smoothed level from 0, the loudest, to -127, silence, in dB below overload (RFC 6464).
        level_dbov: i8,
        /// Whether that is speech rather than noise.
        speaking: bool,
    },
}

/// Why a transport died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// ICE lost the client.
    Disconnected,
    /// The DTLS handshake failed, or the certificate was not the promised one.
    DtlsFailed,
    /// The client closed its peer connection.
    ClosedByClient,
    /// The client never connected within two minutes.
    NeverConnected,
    /// It made room for somebody else's, or its owner did not come into the meeting for long.
    Evicted,
    /// Nothing came from the client for half a minute.
    Silent,
    /// The connection broke in another way.
    Failed,
    /// A bug of ours ended this transport only.
    Panicked,
}

/// Why a request was not done. A refused request changes nothing, except that a producer named in
/// `close_producer` is closed in any case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Error {
    /// There is no such transport: it was never opened, or it died.
    #[error("unknown transport")]
    UnknownTransport,
    /// There is no such producer or consumer on the transport.
    #[error("unknown producer")]
    UnknownProducer,
    /// The description cannot be understood or does not fit the ones before.
    #[error("bad SDP: {0}")]
    BadSdp(String),
    /// Understood, but not allowed: a bound is reached or a name is taken.
    #[error("refused: {0}")]
    Refused(String),
    /// A media thread has too much to do.
    #[error("busy")]
    Busy,
    /// The media threads have ended.
    #[error("stopped")]
    Stopped,
}

impl From<sdp::BadSdp> for Error {
    fn from(bad: sdp::BadSdp) -> Self {
        Self::BadSdp(bad.0)
    }
}

//! How a request gets to the media thread and its answer back.
//! A command is plain data with a place for the answer; applying one is a single call of the engine.
//! Invariant: requests stop before the queue is full, so that commands which release things always get in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::tcp::lobby::{Lobby, Newcomer};
use crate::counters::{Snapshot, TcpEnd};
use crate::engine::Engine;
use crate::limits::COMMAND_RESERVE;
use crate::{Consume, Consumed, Error, Produce, ProducerId, Role, RoomId, TransportId};

type Reply<T> = oneshot::Sender<Result<T, Error>>;

pub(super) enum Command {
    OpenTransport {
        room: RoomId,
        transport: TransportId,
        role: Role,
        offer: String,
        reply: Reply<String>,
    },
    Produce {
        request: Box<Produce>,
        reply: Reply<String>,
    },
    CloseProducer {
        transport: TransportId,
        producer: ProducerId,
        offer: Option<String>,
        reply: Reply<Option<String>>,
    },
    PauseProducer {
        producer: ProducerId,
        paused: bool,
    },
    Consume {
        transport: TransportId,
        wanted: Vec<Consume>,
        reply: Reply<Consumed>,
    },
    AcceptAnswer {
        transport: TransportId,
        answer: String,
        reply: Reply<()>,
    },
    CloseConsumers {
        transport: TransportId,
        mids: Vec<String>,
        offer: String,
        reply: Reply<String>,
    },
    SetLayer {
        transport: TransportId,
        producer: ProducerId,
        mid: Option<String>,
        rid: String,
        reply: Reply<()>,
    },
    CloseTransport {
        transport: TransportId,
    },
    CloseRoom {
        room: RoomId,
    },
    /// For the thread itself: the engine knows datagrams only.
    Adopt(Box<Newcomer>),
    Snapshot(Reply<Snapshot>),
    Stop(oneshot::Sender<()>),
}

impl Command {
    /// A caller that went away does not undo what it asked for, so failed replies are ignored.
    pub(super) fn apply(self, engine: &mut Engine, now: Instant) {
        match self {
            Self::OpenTransport { room, transport, role, offer, reply } => {
                let _ = reply.send(engine.open_transport(now, room, transport, role, &offer));
            }
            Self::Produce { request, reply } => {
                let _ = reply.send(engine.produce(now, *request));
            }
            Self::CloseProducer { transport, producer, offer, reply } => {
                let _ = reply.send(engine.close_producer(now, transport, producer, offer.as_deref()));
            }
            Self::PauseProducer { producer, paused } => engine.pause_producer(now, &producer, paused),
            Self::Consume { transport, wanted, reply } => {
                let _ = reply.send(engine.consume(now, transport, wanted));
            }
            Self::AcceptAnswer { transport, answer, reply } => {
                let _ = reply.send(engine.accept_answer(now, transport, &answer));
            }
            Self::CloseConsumers { transport, mids, offer, reply } => {
                let _ = reply.send(engine.close_consumers(now, transport, mids, &offer));
            }
            Self::SetLayer { transport, producer, mid, rid, reply } => {
                let _ = reply.send(engine.set_layer(now, transport, producer, mid, &rid));
            }
            Self::CloseTransport { transport } => engine.close_transport(now, &transport),
            Self::CloseRoom { room } => engine.close_room(now, &room),
            Self::Adopt(_) => {}
            Self::Snapshot(reply) => {
                let _ = reply.send(Ok(engine.snapshot()));
            }
            Self::Stop(done) => {
                engine.close_all(now);
                let _ = done.send(());
            }
        }
    }
}

/// A handle to the media thread; cheap to clone. Commands are done in the order they were given. When the last
/// handle is dropped the thread closes all transports and ends within a few seconds.
#[derive(Clone, Debug)]
pub struct Sfu {
    commands: mpsc::Sender<Command>,
    waker: Arc<Waker>,
    local: SocketAddr,
    lobby: Arc<Lobby>,
}

impl Sfu {
    pub(super) fn new(commands: mpsc::Sender<Command>, waker: Arc<Waker>, local: SocketAddr, lobby: Arc<Lobby>) -> Self {
        Self { commands, waker, local, lobby }
    }

    /// The address of the media socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Opens a transport for the client that wrote `offer`; returns the answer.
    ///
    /// # Errors
    /// `BadSdp`; `Refused` if the id is taken or there are too many transports.
    pub async fn open_transport(&self, room: RoomId, transport: TransportId, role: Role, offer: String) -> Result<String, Error> {
        self.ask(|reply| Command::OpenTransport { room, transport, role, offer, reply }).await
    }

    /// Takes a new track of a client; returns the answer to its offer. A producer that came on the same m-line before
    /// is closed.
    ///
    /// # Errors
    /// `UnknownTransport`; `BadSdp` also if no m-line fits; `Refused` if the id is taken, the codec is not ours, there
    /// are too many producers, or the transport was opened to receive.
    pub async fn produce(&self, request: Produce) -> Result<String, Error> {
        self.ask(|reply| Command::Produce { request: Box::new(request), reply }).await
    }

    /// Ends a producer: its consumers receive nothing any more. With an offer, returns the answer, also if the
    /// producer is not known any more.
    ///
    /// # Errors
    /// `UnknownTransport`, `BadSdp`; `UnknownProducer` only without an offer.
    pub async fn close_producer(
        &self,
        transport: TransportId,
        producer: ProducerId,
        offer: Option<String>,
    ) -> Result<Option<String>, Error> {
        self.ask(|reply| Command::CloseProducer { transport, producer, offer, reply }).await
    }

    /// As `close_producer` without an offer, for a caller that does not wait. An unknown producer is ignored.
    pub fn drop_producer(&self, transport: TransportId, producer: ProducerId) {
        let (reply, _) = oneshot::channel();
        self.tell(Command::CloseProducer { transport, producer, offer: None, reply });
    }

    /// Holds a producer's packets back, or lets them through again, starting video with a key frame. An unknown
    /// producer is ignored.
    pub fn pause_producer(&self, producer: ProducerId, paused: bool) {
        self.tell(Command::PauseProducer { producer, paused });
    }

    /// Adds tracks to what a client receives. Forwarding starts when `accept_answer` brought the client's answer. A
    /// producer that is already consumed there keeps its mid.
    ///
    /// # Errors
    /// `UnknownTransport`; `Refused` if the transport was opened to send; what concerns single producers is in the
    /// result.
    pub async fn consume(&self, transport: TransportId, wanted: Vec<Consume>) -> Result<Consumed, Error> {
        self.ask(|reply| Command::Consume { transport, wanted, reply }).await
    }

    /// Takes the client's answer to the offer of `consume`.
    ///
    /// # Errors
    /// `UnknownTransport`; `BadSdp` also if it does not fit the offer.
    pub async fn accept_answer(&self, transport: TransportId, answer: String) -> Result<(), Error> {
        self.ask(|reply| Command::AcceptAnswer { transport, answer, reply }).await
    }

    /// Takes tracks off what a client receives; returns the answer to its offer, in which their m-lines are stopped.
    ///
    /// # Errors
    /// `UnknownTransport`, `BadSdp`.
    pub async fn close_consumers(&self, transport: TransportId, mids: Vec<String>, offer: String) -> Result<String, Error> {
        self.ask(|reply| Command::CloseConsumers { transport, mids, offer, reply }).await
    }

    /// Sets the layer a client prefers of a producer; the switch comes with the layer's next key frame, and the
    /// nearest layer is taken while that one is not sent. `mid` finds the consumer if the producer is gone.
    ///
    /// # Errors
    /// `UnknownTransport`; `UnknownProducer` if it is not consumed there.
    pub async fn set_layer(
        &self,
        transport: TransportId,
        producer: ProducerId,
        mid: Option<String>,
        rid: String,
    ) -> Result<(), Error> {
        self.ask(|reply| Command::SetLayer { transport, producer, mid, rid, reply }).await
    }

    /// Closes a transport with its producers and consumers; the client is told by DTLS.
    pub fn close_transport(&self, transport: TransportId) {
        self.tell(Command::CloseTransport { transport });
    }

    /// Closes all transports of a room.
    pub fn close_room(&self, room: RoomId) {
        self.tell(Command::CloseRoom { room });
    }

    /// What the media thread holds and has counted. All zero if it has stopped or is too busy to say.
    pub async fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.ask(Command::Snapshot).await.unwrap_or_default();
        self.lobby.describe(&mut snapshot);
        snapshot
    }

    /// Takes over a TCP connection of a client of ours, which begins with a check (RFC 6544 section 7, RFC 4571). Returns
    /// when that has come. What is no client's, or does not say so in time, is closed; it costs no other connection
    /// anything.
    pub async fn adopt(&self, stream: TcpStream) {
        let Some(newcomer) = self.lobby.clone().receive(stream).await else { return };
        if self.commands.capacity() > COMMAND_RESERVE {
            self.tell(Command::Adopt(Box::new(newcomer)));
        } else {
            self.lobby.ended(TcpEnd::TooMany);
        }
    }

    /// Closes all transports and ends the thread. Later requests are answered `Stopped`.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).await.is_ok() && self.waker.wake().is_ok() {
            let _ = stopped.await;
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        if self.commands.is_closed() {
            return Err(Error::Stopped);
        }
        if self.commands.capacity() <= COMMAND_RESERVE {
            return Err(Error::Busy);
        }
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })?;
        self.waker.wake().map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)?
    }

    fn tell(&self, command: Command) {
        if self.commands.try_send(command).is_ok() {
            // If waking fails the thread still sees the command at its next deadline.
            let _ = self.waker.wake();
        } else if !self.commands.is_closed() {
            tracing::error!("media thread does not keep up, a command was lost");
        }
    }
}

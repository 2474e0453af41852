//! How a request gets to the media thread that it is for, and its answer back.
//! A command is plain data with a place for the answer; applying one is a single call of the engine.
//! Invariant: requests stop before the queue is full, so that commands which release things always get in.
//! Next: `directory.rs` knows which thread has what.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Waker;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::directory::{Directory, Place};
use super::neighbours::Neighbours;
use super::tcp::lobby::{Lobby, Newcomer};
use crate::counters::{Snapshot, TcpEnd};
use crate::engine::{Engine, Gone, demux};
use crate::limits::COMMAND_RESERVE;
use crate::quality::{LineQuality, QualityTotals};
use crate::{Consume, Consumed, Error, Produce, ProducerId, Role, RoomId, TransportId};

type Reply<T> = oneshot::Sender<Result<T, Error>>;
type Answer<T> = oneshot::Receiver<Result<T, Error>>;

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
    Share {
        producers: Vec<ProducerId>,
        room: RoomId,
        with: usize,
        reply: Reply<()>,
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
    Quality {
        room: RoomId,
        reply: Reply<Vec<LineQuality>>,
    },
    QualityTotals(Reply<QualityTotals>),
    Stop(oneshot::Sender<()>),
}

impl Command {
    /// Does it on the engine. A panic ends the transport it was about, and its caller is told that there is none. What was
    /// not made loses its entry in the directory.
    pub(super) fn apply(self, engine: &mut Engine, directory: &Directory, neighbours: &Neighbours, now: Instant) {
        let about = self.about().cloned();
        let made = match &self {
            Self::OpenTransport { transport, .. } => Some(Gone::Transport(transport.clone())),
            Self::Produce { request, .. } => Some(Gone::Producer(request.producer.clone())),
            _ => None,
        };
        let done = engine.obey_for(now, about.as_ref(), |engine| self.carry_out(engine, directory, neighbours, now));
        if let (None, Some(made)) = (done, made) {
            directory.forget(&made);
        }
    }

    /// The transport that a command changes.
    fn about(&self) -> Option<&TransportId> {
        match self {
            Self::OpenTransport { transport, .. }
            | Self::CloseProducer { transport, .. }
            | Self::Consume { transport, .. }
            | Self::AcceptAnswer { transport, .. }
            | Self::CloseConsumers { transport, .. }
            | Self::SetLayer { transport, .. }
            | Self::CloseTransport { transport } => Some(transport),
            Self::Produce { request, .. } => Some(&request.transport),
            Self::PauseProducer { .. }
            | Self::Share { .. }
            | Self::Adopt(_)
            | Self::CloseRoom { .. }
            | Self::Snapshot(_)
            | Self::Quality { .. }
            | Self::QualityTotals(_)
            | Self::Stop(_) => None,
        }
    }

    /// A caller that went away does not undo what it asked for, so failed replies are ignored.
    fn carry_out(self, engine: &mut Engine, directory: &Directory, neighbours: &Neighbours, now: Instant) {
        match self {
            Self::OpenTransport { room, transport, role, offer, reply } => {
                let answer = engine.open_transport(now, room, transport.clone(), role, &offer);
                if answer.is_err() {
                    directory.forget(&Gone::Transport(transport));
                }
                let _ = reply.send(answer);
            }
            Self::Produce { request, reply } => {
                let producer = request.producer.clone();
                let answer = engine.produce(now, *request);
                if answer.is_err() {
                    directory.forget(&Gone::Producer(producer));
                }
                let _ = reply.send(answer);
            }
            Self::CloseProducer { transport, producer, offer, reply } => {
                let _ = reply.send(engine.close_producer(now, transport, producer, offer.as_deref()));
            }
            Self::PauseProducer { producer, paused } => engine.pause_producer(now, &producer, paused),
            Self::Share { producers, room, with, reply } => {
                for producer in &producers {
                    engine.share(producer, &room, with);
                }
                // Answered when the other thread will see them before any command that it gets from now on.
                neighbours.carry(&mut engine.crossings);
                let arrives = engine.crossings.waiting().all(|(to, _)| to != with);
                let _ = reply.send(if arrives { Ok(()) } else { Err(Error::Busy) });
            }
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
            Self::Quality { room, reply } => {
                let _ = reply.send(Ok(engine.quality(now, &room)));
            }
            Self::QualityTotals(reply) => {
                let _ = reply.send(Ok(engine.quality_totals(now)));
            }
            Self::Stop(done) => {
                engine.close_all(now);
                let _ = done.send(());
            }
        }
    }
}

/// A handle to the media threads; cheap to clone. Commands for one transport are done in the order they were given.
/// When the last handle is dropped the threads close all transports and end within a few seconds.
#[derive(Clone, Debug)]
pub struct Sfu {
    threads: Arc<[Line]>,
    pub(super) directory: Arc<Directory>,
    lobby: Arc<Lobby>,
}

/// The way to one thread.
#[derive(Debug)]
pub(super) struct Line {
    pub commands: mpsc::Sender<Command>,
    pub waker: Arc<Waker>,
    pub local: SocketAddr,
}

impl Sfu {
    pub(super) fn new(threads: Vec<Line>, directory: Arc<Directory>, lobby: Arc<Lobby>) -> Self {
        Self { threads: threads.into(), directory, lobby }
    }

    /// The addresses of the media sockets, one for each thread; all the same if there is one port for all.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.threads.iter().map(|thread| thread.local).collect()
    }

    /// Opens a transport for the client that wrote `offer`; returns the answer.
    ///
    /// # Errors
    /// `BadSdp`; `Refused` if the id is taken or there are too many transports.
    pub async fn open_transport(&self, room: RoomId, transport: TransportId, role: Role, offer: String) -> Result<String, Error> {
        let thread = self.directory.enter_transport(&transport, &room)?;
        let name = transport.clone();
        let asked = self.send(thread, |reply| Command::OpenTransport { room, transport, role, offer, reply });
        self.answer(thread, asked.inspect_err(|_| self.directory.forget(&Gone::Transport(name)))?).await
    }

    /// Takes a new track of a client; returns the answer to its offer. A producer that came on the same m-line before
    /// is closed.
    ///
    /// # Errors
    /// `UnknownTransport`; `BadSdp` also if no m-line fits; `Refused` if the id is taken, the codec is not ours, there
    /// are too many producers, or the transport was opened to receive.
    pub async fn produce(&self, request: Produce) -> Result<String, Error> {
        let Place { thread, .. } = self.place(&request.transport)?;
        let name = request.producer.clone();
        self.directory.enter_producer(&name, thread)?;
        let asked = self.send(thread, |reply| Command::Produce { request: Box::new(request), reply });
        self.answer(thread, asked.inspect_err(|_| self.directory.forget(&Gone::Producer(name)))?).await
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
        let Place { thread, .. } = self.place(&transport)?;
        self.ask(thread, |reply| Command::CloseProducer { transport, producer, offer, reply }).await
    }

    /// As `close_producer` without an offer, for a caller that does not wait. An unknown producer is ignored.
    pub fn drop_producer(&self, transport: TransportId, producer: ProducerId) {
        let (reply, _) = oneshot::channel();
        if let Ok(Place { thread, .. }) = self.directory.transport(&transport) {
            self.tell(thread, Command::CloseProducer { transport, producer, offer: None, reply });
        }
    }

    /// Holds a producer's packets back, or lets them through again, starting video with a key frame. An unknown
    /// producer is ignored.
    pub fn pause_producer(&self, producer: ProducerId, paused: bool) {
        if let Some(thread) = self.directory.producer(&producer) {
            self.tell(thread, Command::PauseProducer { producer, paused });
        }
    }

    /// Adds tracks to what a client receives. Forwarding starts when `accept_answer` brought the client's answer. A
    /// producer that is already consumed there keeps its mid.
    ///
    /// # Errors
    /// `UnknownTransport`; `Refused` if the transport was opened to send; what concerns single producers is in the
    /// result.
    pub async fn consume(&self, transport: TransportId, wanted: Vec<Consume>) -> Result<Consumed, Error> {
        let Place { thread, room } = self.place(&transport)?;
        // A thread that is too busy to answer is not sent more to do.
        self.ready(thread)?;
        for (home, producers) in self.directory.elsewhere(thread, &wanted) {
            let room = room.clone();
            self.ask(home, |reply| Command::Share { producers, room, with: thread, reply }).await?;
        }
        self.ask(thread, |reply| Command::Consume { transport, wanted, reply }).await
    }

    /// Takes the client's answer to the offer of `consume`.
    ///
    /// # Errors
    /// `UnknownTransport`; `BadSdp` also if it does not fit the offer.
    pub async fn accept_answer(&self, transport: TransportId, answer: String) -> Result<(), Error> {
        let Place { thread, .. } = self.place(&transport)?;
        self.ask(thread, |reply| Command::AcceptAnswer { transport, answer, reply }).await
    }

    /// Takes tracks off what a client receives; returns the answer to its offer, in which their m-lines are stopped.
    ///
    /// # Errors
    /// `UnknownTransport`, `BadSdp`.
    pub async fn close_consumers(&self, transport: TransportId, mids: Vec<String>, offer: String) -> Result<String, Error> {
        let Place { thread, .. } = self.place(&transport)?;
        self.ask(thread, |reply| Command::CloseConsumers { transport, mids, offer, reply }).await
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
        let Place { thread, .. } = self.place(&transport)?;
        self.ask(thread, |reply| Command::SetLayer { transport, producer, mid, rid, reply }).await
    }

    /// Closes a transport with its producers and consumers; the client is told by DTLS.
    pub fn close_transport(&self, transport: TransportId) {
        if let Ok(Place { thread, .. }) = self.directory.transport(&transport) {
            self.tell(thread, Command::CloseTransport { transport });
        }
    }

    /// Closes all transports of a room.
    pub fn close_room(&self, room: RoomId) {
        for thread in self.directory.room(&room) {
            self.tell(thread, Command::CloseRoom { room: room.clone() });
        }
    }

    /// What the media threads hold and have counted, together. What a thread that has stopped or is too busy to say has
    /// is left out.
    pub async fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::default();
        for thread in 0..self.threads.len() {
            if let Ok(snapshot) = self.ask(thread, Command::Snapshot).await {
                all.add(snapshot);
            }
        }
        all.rooms = self.directory.rooms();
        self.lobby.describe(&mut all);
        all
    }

    /// Takes over a TCP connection of a client of ours, which begins with a check (RFC 6544 section 7, RFC 4571). Returns
    /// when that has come. What is no client's, or does not say so in time, is closed; it costs no other connection
    /// anything.
    pub async fn adopt(&self, stream: TcpStream) {
        let Some(newcomer) = self.lobby.clone().receive(stream).await else { return };
        // The name it is addressed to says which thread has the transport; of an earlier run, perhaps, that had more.
        let thread = demux::addressee(&newcomer.check).and_then(demux::thread_of);
        let thread = thread.filter(|thread| *thread < self.threads.len()).unwrap_or(0);
        if self.ready(thread).is_ok() {
            self.tell(thread, Command::Adopt(Box::new(newcomer)));
        } else {
            self.lobby.ended(TcpEnd::TooMany);
        }
    }

    /// The connections of a room and what goes over them, with how good it is. None of a room that is not there.
    ///
    /// # Errors
    /// `Busy`, `Stopped`.
    pub async fn quality(&self, room: RoomId) -> Result<Vec<LineQuality>, Error> {
        let mut lines = Vec::new();
        for thread in self.directory.room(&room) {
            let room = room.clone();
            lines.extend(self.ask(thread, |reply| Command::Quality { room, reply }).await?);
        }
        Ok(lines)
    }

    /// How good all calls are together. What a thread that has stopped or is too busy to say has is left out.
    pub async fn quality_totals(&self) -> QualityTotals {
        let mut all = QualityTotals::default();
        for thread in 0..self.threads.len() {
            if let Ok(totals) = self.ask(thread, Command::QualityTotals).await {
                all.merge(&totals);
            }
        }
        all
    }

    /// Closes all transports and ends the threads. Later requests are answered `Stopped`.
    pub async fn stop(&self) {
        for Line { commands, waker, .. } in self.threads.iter() {
            let (done, stopped) = oneshot::channel();
            if commands.send(Command::Stop(done)).await.is_ok() && waker.wake().is_ok() {
                let _ = stopped.await;
            }
        }
    }

    /// Where a transport is.
    fn place(&self, transport: &TransportId) -> Result<Place, Error> {
        let stopped = || self.threads.iter().all(|thread| thread.commands.is_closed());
        self.directory.transport(transport).map_err(|unknown| if stopped() { Error::Stopped } else { unknown })
    }

    /// Whether a thread takes requests.
    fn ready(&self, thread: usize) -> Result<(), Error> {
        let commands = &self.threads[thread].commands;
        if commands.is_closed() {
            return Err(Error::Stopped);
        }
        if commands.capacity() <= COMMAND_RESERVE {
            return Err(Error::Busy);
        }
        Ok(())
    }

    fn send<T>(&self, thread: usize, command: impl FnOnce(Reply<T>) -> Command) -> Result<Answer<T>, Error> {
        self.ready(thread)?;
        let Line { commands, waker, .. } = &self.threads[thread];
        let (reply, answer) = oneshot::channel();
        commands.try_send(command(reply)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })?;
        // If waking fails the thread still sees the command at its next deadline.
        let _ = waker.wake();
        Ok(answer)
    }

    async fn ask<T>(&self, thread: usize, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        self.answer(thread, self.send(thread, command)?).await
    }

    async fn answer<T>(&self, thread: usize, answer: Answer<T>) -> Result<T, Error> {
        // Without an answer, a bug of ours ended what it was about, or the thread.
        let ended = || if self.threads[thread].commands.is_closed() { Error::Stopped } else { Error::UnknownTransport };
        answer.await.map_err(|_| ended())?
    }

    fn tell(&self, thread: usize, command: Command) {
        let Line { commands, waker, .. } = &self.threads[thread];
        if commands.try_send(command).is_ok() {
            let _ = waker.wake();
        } else if !commands.is_closed() {
            tracing::error!(thread, "media thread does not keep up, a command was lost");
        }
    }
}

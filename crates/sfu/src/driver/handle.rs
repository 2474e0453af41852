//! The handle to the media threads: all that the server may ask of them, each said once.
//! Finds the thread with what is asked about, gives it the errand, and waits for the answer.
//! Invariant: requests stop before a queue is full, so that commands which release things always get in.
//! Next: `command.rs` for what an errand is, `directory.rs` knows which thread has what.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::Waker;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::clock::now;
use super::command::{About, Answer, Command, Errand, Workplace};
use super::directory::{Directory, Place};
use super::health::{Health, Pulse};
use super::packed::Packed;
use super::relay::Relaying;
use super::tcp::lobby::Lobby;
use crate::counters::{Snapshot, TcpEnd};
use crate::engine::farewell::Mark;
use crate::engine::{Gone, demux};
use crate::limits::COMMAND_RESERVE;
use crate::quality::{LineQuality, QualityTotals};
use crate::{Consume, Consumed, Error, Guest, OwnerId, Produce, ProducerId, Role, RoomId, TransportId};

/// A handle to the media threads; cheap to clone. Commands for one transport are done in the order they were given.
/// When the last handle is dropped the threads close all transports and end within a few seconds.
#[derive(Clone, Debug)]
pub struct Sfu {
    threads: Arc<[Line]>,
    pub(super) directory: Arc<Directory>,
    lobby: Arc<Lobby>,
    relay: Option<Relaying>,
}

/// The way to one thread.
#[derive(Debug)]
pub(super) struct Line {
    pub commands: mpsc::Sender<Command>,
    pub waker: Arc<Waker>,
    pub local: SocketAddr,
    pub pulse: Arc<Pulse>,
}

impl Sfu {
    pub(super) fn new(threads: Vec<Line>, directory: Arc<Directory>, lobby: Arc<Lobby>, relay: Option<Relaying>) -> Self {
        Self { threads: threads.into(), directory, lobby, relay }
    }

    /// The thread for other nodes, if there is one.
    pub fn relay(&self) -> Option<&Relaying> {
        self.relay.as_ref()
    }

    /// The addresses of the media sockets, one for each thread; all the same if there is one port for all.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.threads.iter().map(|thread| thread.local).collect()
    }

    /// Opens a transport for the client that wrote `offer`, counted against somebody; returns the answer. Where a bound is
    /// reached, those that never connected make room, of whoever has most: they end as `Evicted`.
    ///
    /// # Errors
    /// `BadSdp`; `Refused` if the id is taken, or there are too many transports and nobody may go for it.
    pub async fn open_transport(
        &self,
        guest: &Guest,
        room: RoomId,
        transport: TransportId,
        role: Role,
        offer: String,
    ) -> Result<String, Error> {
        let (thread, going) = self.directory.enter_transport(now(), &transport, &room, guest)?;
        going.into_iter().for_each(|gone| self.evict(gone));
        let about = About::transport(&transport).making(Gone::Transport(transport.clone()));
        let Guest { owner, note, .. } = guest.clone();
        let mark = Mark { role, tag: guest.tag };
        let open = move |here: Workplace<'_>| {
            let answer = here.engine.open_transport(here.now, room, transport.clone(), mark, &offer)?;
            here.engine.note_guest(&transport, owner.as_str(), &note);
            Ok(answer)
        };
        self.ask(thread, about, open).await
    }

    /// Someone has come into the meeting of a room, or left it: what it has and opens there counts accordingly.
    pub fn set_inside(&self, owner: &OwnerId, room: &RoomId, inside: bool) {
        self.directory.set_inside(now(), owner, room, inside);
    }

    /// Ends transports whose owners have not come into the meeting for too long. To be called every few seconds.
    pub fn evict_overdue(&self) {
        self.directory.overdue(now()).into_iter().for_each(|transport| self.evict(transport));
    }

    fn evict(&self, transport: TransportId) {
        if let Ok(Place { thread, .. }) = self.directory.transport(&transport) {
            let about = About::transport(&transport);
            self.tell(thread, about, move |here| here.engine.evict(here.now, &transport));
        }
    }

    /// Takes a new track of a client, or one that it sends anew; returns the answer to its offer. A producer that came on
    /// the same m-line before is closed.
    ///
    /// # Errors
    /// `UnknownTransport`; `BadSdp` also if no m-line fits; `Refused` if the id is taken, the codec is not ours, there
    /// are too many producers, or the transport was opened to receive. Of one that goes on `UnknownProducer` if it has
    /// ended or is on another thread, `Refused` also if it would go on with another codec.
    pub async fn produce(&self, request: Produce) -> Result<String, Error> {
        let Place { thread, .. } = self.place(&request.transport)?;
        let about = About::transport(&request.transport);
        let about = match request.goes_on {
            true if self.directory.producer(&request.producer) != Some(thread) => return Err(Error::UnknownProducer),
            true => about,
            false => {
                self.directory.enter_producer(&request.producer, thread)?;
                about.making(Gone::Producer(request.producer.clone()))
            }
        };
        self.ask(thread, about, move |here| here.engine.produce(here.now, request)).await
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
        let (Place { thread, .. }, about) = (self.place(&transport)?, About::transport(&transport));
        let close = move |here: Workplace<'_>| here.engine.close_producer(here.now, transport, producer, offer.as_deref());
        self.ask(thread, about, close).await
    }

    /// As `close_producer` without an offer, for a caller that does not wait. An unknown producer is ignored.
    pub fn drop_producer(&self, transport: TransportId, producer: ProducerId) {
        if let Ok(Place { thread, .. }) = self.directory.transport(&transport) {
            let about = About::transport(&transport);
            self.tell(thread, about, move |here| drop(here.engine.close_producer(here.now, transport, producer, None)));
        }
    }

    /// Holds a producer's packets back, or lets them through again, starting video with a key frame. An unknown
    /// producer is ignored.
    pub fn pause_producer(&self, producer: ProducerId, paused: bool) {
        if let Some(thread) = self.directory.producer(&producer).filter(|thread| *thread < self.threads.len()) {
            self.tell(thread, About::nobody(), move |here| here.engine.pause_producer(here.now, &producer, paused));
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
            if let Some(relay) = self.relay.as_ref().filter(|relay| relay.me == home) {
                relay.share(producers, thread).await.map_err(|_| Error::Busy)?;
                continue;
            }
            let room = room.clone();
            self.ask(home, About::nobody(), move |here| share(here, &producers, &room, thread)).await?;
        }
        self.ask(thread, About::transport(&transport), move |here| here.engine.consume(here.now, transport, wanted)).await
    }

    /// Lets a transport that a run before had go on with what it consumed of these producers, which come in at other nodes and
    /// are watched by now.
    ///
    /// # Errors
    /// `UnknownTransport`; `Stopped`.
    pub async fn go_on_consuming(&self, transport: &TransportId, producers: Vec<ProducerId>) -> Result<(), Error> {
        let Place { thread, .. } = self.place(transport)?;
        match &self.relay {
            Some(relay) => relay.share(producers, thread).await,
            None => Ok(()),
        }
    }

    /// Notes for a later run what the server wants to know of a transport.
    pub fn note_guest(&self, transport: TransportId, owner: OwnerId, note: String) {
        if let Ok(Place { thread, .. }) = self.directory.transport(&transport) {
            let note_it = move |here: Workplace<'_>| here.engine.note_guest(&transport, owner.as_str(), &note);
            self.tell(thread, About::nobody(), note_it);
        }
    }

    /// Takes the client's answer to the offer of `consume`.
    ///
    /// # Errors
    /// `UnknownTransport`; `BadSdp` also if it does not fit the offer.
    pub async fn accept_answer(&self, transport: TransportId, answer: String) -> Result<(), Error> {
        let (Place { thread, .. }, about) = (self.place(&transport)?, About::transport(&transport));
        self.ask(thread, about, move |here| here.engine.accept_answer(here.now, transport, &answer)).await
    }

    /// Takes tracks off what a client receives; returns the answer to its offer, in which their m-lines are stopped.
    ///
    /// # Errors
    /// `UnknownTransport`, `BadSdp`.
    pub async fn close_consumers(&self, transport: TransportId, mids: Vec<String>, offer: String) -> Result<String, Error> {
        let (Place { thread, .. }, about) = (self.place(&transport)?, About::transport(&transport));
        self.ask(thread, about, move |here| here.engine.close_consumers(here.now, transport, mids, &offer)).await
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
        let (Place { thread, .. }, about) = (self.place(&transport)?, About::transport(&transport));
        self.ask(thread, about, move |here| here.engine.set_layer(here.now, transport, producer, mid, &rid)).await
    }

    /// Closes a transport with its producers and consumers; the client is told by DTLS.
    pub fn close_transport(&self, transport: TransportId) {
        if let Ok(Place { thread, .. }) = self.directory.transport(&transport) {
            let about = About::transport(&transport);
            self.tell(thread, about, move |here| here.engine.close_transport(here.now, &transport));
        }
    }

    /// Closes all transports of a room.
    pub fn close_room(&self, room: RoomId) {
        for thread in self.directory.room(&room) {
            let room = room.clone();
            self.tell(thread, About::nobody(), move |here| here.engine.close_room(here.now, &room));
        }
    }

    /// What the media threads hold and have counted, together. What a thread that has stopped or is too busy to say has
    /// is left out.
    pub async fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::default();
        for thread in 0..self.threads.len() {
            if let Ok(snapshot) = self.ask(thread, About::nobody(), |here| Ok(here.engine.snapshot())).await {
                all.add(snapshot);
            }
        }
        all.rooms = self.directory.rooms();
        self.lobby.describe(&mut all);
        if let Some(relay) = &self.relay {
            relay.describe(&mut all);
        }
        all
    }

    /// Whether the media threads are alive. Asks none of them, so that the answer does not depend on it.
    pub fn health(&self) -> Health {
        let mut health = Health::default();
        self.threads.iter().for_each(|thread| thread.pulse.describe(now(), &mut health));
        health
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
            self.post(thread, Command::Adopt(Box::new(newcomer)));
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
            lines.extend(self.ask(thread, About::nobody(), move |here| Ok(here.engine.quality(here.now, &room))).await?);
        }
        Ok(lines)
    }

    /// How long ago something came last on a transport.
    ///
    /// # Errors
    /// `UnknownTransport`; the media thread has too much to do, or has stopped.
    pub async fn quiet_for(&self, transport: &TransportId) -> Result<Duration, Error> {
        let Place { thread, .. } = self.place(transport)?;
        let (about, transport) = (About::transport(transport), transport.clone());
        self.ask(thread, about, move |here| here.engine.quiet_for(here.now, &transport)).await
    }

    /// How good all calls are together. What a thread that has stopped or is too busy to say has is left out.
    pub async fn quality_totals(&self) -> QualityTotals {
        let mut all = QualityTotals::default();
        for thread in 0..self.threads.len() {
            if let Ok(totals) = self.ask(thread, About::nobody(), |here| Ok(here.engine.quality_totals(here.now))).await {
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
        if let Some(relay) = &self.relay {
            relay.stop().await;
        }
    }

    /// Packs all threads for another process. They do nothing from then on until the second is dropped, as when this process
    /// goes on after all.
    ///
    /// # Errors
    /// `Stopped` if a thread has ended: what it had is not there any more.
    pub async fn pack(&self) -> Result<(Vec<Packed>, impl Drop + Send + use<>), Error> {
        let mut asked = Vec::new();
        let mut releases = Releases(Vec::new());
        for Line { commands, waker, .. } in self.threads.iter() {
            let ((packed, told), (release, held)) = (oneshot::channel(), std::sync::mpsc::channel());
            commands.send(Command::Pack(packed, held)).await.map_err(|_| Error::Stopped)?;
            let _ = waker.wake();
            releases.0.push(release);
            asked.push(told);
        }
        let mut all = Vec::new();
        for told in asked {
            all.push(told.await.map_err(|_| Error::Stopped)?);
        }
        Ok((all, releases))
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

    /// Has something done on a thread and waits for the answer.
    async fn ask<T: Send + 'static>(
        &self,
        thread: usize,
        about: About,
        work: impl FnOnce(Workplace<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let answer = self.send(thread, about, work)?;
        // Without an answer, a bug of ours ended what it was about, or the thread.
        let ended = || if self.threads[thread].commands.is_closed() { Error::Stopped } else { Error::UnknownTransport };
        answer.await.map_err(|_| ended())?
    }

    fn send<T: Send + 'static>(
        &self,
        thread: usize,
        about: About,
        work: impl FnOnce(Workplace<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Answer<T>, Error> {
        let makes = about.makes.clone();
        let (errand, answer) = Errand::new(about, work);
        let Line { commands, waker, .. } = &self.threads[thread];
        let sent = self.ready(thread).and_then(|()| {
            commands.try_send(Command::Do(errand)).map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => Error::Busy,
                mpsc::error::TrySendError::Closed(_) => Error::Stopped,
            })
        });
        if let (Err(_), Some(makes)) = (&sent, makes) {
            self.directory.forget(&makes);
        }
        // If waking fails the thread still sees the command at its next deadline.
        sent.map(|()| drop(waker.wake()))?;
        Ok(answer)
    }

    /// Has something done on a thread, for a caller that does not wait.
    fn tell(&self, thread: usize, about: About, work: impl FnOnce(Workplace<'_>) + Send + 'static) {
        let (errand, _) = Errand::new(about, |here| {
            work(here);
            Ok(())
        });
        self.post(thread, Command::Do(errand));
    }

    #[cfg(test)]
    pub(super) fn break_thread(&self, thread: usize) {
        self.post(thread, Command::Panic);
    }

    fn post(&self, thread: usize, command: Command) {
        let Line { commands, waker, .. } = &self.threads[thread];
        if commands.try_send(command).is_ok() {
            let _ = waker.wake();
        } else if !commands.is_closed() {
            tracing::error!(thread, "media thread does not keep up, a command was lost");
        }
    }
}

/// Holds media threads that are packed.
struct Releases(Vec<std::sync::mpsc::Sender<()>>);

impl Drop for Releases {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// Lets another thread have producers. Done when it will see them before any command that it gets from now on.
fn share(here: Workplace<'_>, producers: &[ProducerId], room: &RoomId, with: usize) -> Result<(), Error> {
    for producer in producers {
        here.engine.share(producer, room, with);
    }
    here.neighbours.carry(&mut here.engine.crossings);
    let arrives = here.engine.crossings.waiting().all(|(to, _)| to != with);
    if arrives { Ok(()) } else { Err(Error::Busy) }
}

//! The thread for other nodes: its socket, its commands, the relay and the loop between them; and the handle to it.
//! Owns no decision. Invariants: as for media threads, whatever is to be sent leaves before the thread sleeps; a connection
//! whose news nobody fetches is given up, as none of them may be missing.
//! Next: `../relay.rs` for the thinking.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::{mpsc, oneshot};

use super::clock::now;
use super::directory::Directory;
use super::neighbours::Neighbours;
use super::sent::SentCounts;
use super::udp::{Arrival, Udp};
use crate::counters::Snapshot;
use crate::engine::Gone;
use crate::engine::address::Address;
use crate::engine::egress::outbox::Outbox;
use crate::limits::{CROSSING_AGAIN, DATAGRAM_BYTES, RELAY_COMMANDS};
use crate::relay::keys::Keys;
use crate::relay::news::News;
use crate::relay::{Figures, Output, Relay, Terms};
use crate::{Error, ProducerId, RoomId};

const SOCKET: Token = Token(0);
const COMMANDS: Token = Token(1);

/// Reads of the socket, and commands, before everything else gets its turn.
const READS_PER_ROUND: usize = 8;
const COMMANDS_PER_ROUND: usize = 64;

/// How old figures may be.
const FIGURES_EVERY: Duration = Duration::from_millis(250);

/// What is between two nodes has a head and a tag around what is a datagram's.
const BYTES: usize = DATAGRAM_BYTES + 256;

/// What is told of a connection with another node. When no more comes, it is over.
#[derive(Debug)]
pub enum Told {
    /// Its path is there: packets go through both ways.
    Proven,
    /// To be carried to the other side, in order.
    News(News),
}

/// A connection with another node.
#[derive(Debug)]
pub struct Connection {
    /// What each side calls it.
    pub ours: u32,
    pub theirs: u32,
    pub keys: Keys,
    /// Where the other side gets datagrams. None on the side that was asked.
    pub to: Option<SocketAddr>,
    /// The one before it with the same node: what was watched over that is watched over this.
    pub instead_of: Option<u32>,
    pub told: mpsc::Sender<Told>,
}

pub(super) enum Command {
    Join(Box<Connection>),
    Part(u32),
    Leave(u32),
    Hear(u32, News),
    Watch { link: u32, producer: ProducerId, room: RoomId, done: oneshot::Sender<bool> },
    Share { producers: Vec<ProducerId>, with: usize, done: oneshot::Sender<()> },
    Stop,
}

/// The handle to the thread for other nodes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Relaying {
    commands: mpsc::Sender<Command>,
    waker: Arc<Waker>,
    local: SocketAddr,
    figures: Arc<Mutex<Figures>>,
    /// Its place among the threads.
    pub(super) me: usize,
}

impl Relaying {
    /// Where datagrams of other nodes come in.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// A name for a connection, which no other has.
    ///
    /// # Errors
    /// `Stopped` if there is no randomness.
    pub fn name(&self) -> Result<u32, Error> {
        let mut name = [0; 4];
        aws_lc_rs::rand::fill(&mut name).map_err(|_| Error::Stopped)?;
        Ok(u32::from_be_bytes(name))
    }

    /// A connection with another node begins.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn join(&self, connection: Connection) -> Result<(), Error> {
        self.send(Command::Join(Box::new(connection))).await
    }

    /// It is over, but there may be another instead of it: what was watched over it stands still until then.
    pub async fn part(&self, link: u32) {
        let _ = self.send(Command::Part(link)).await;
    }

    /// It is over: what was watched over it ends.
    pub async fn leave(&self, link: u32) {
        let _ = self.send(Command::Leave(link)).await;
    }

    /// Its other side told something.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn hear(&self, link: u32, news: News) -> Result<(), Error> {
        self.send(Command::Hear(link, news)).await
    }

    /// Has a producer of the node behind a connection here, so that it can be consumed. The answer is whether it came.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn watch(&self, link: u32, producer: ProducerId, room: RoomId) -> Result<oneshot::Receiver<bool>, Error> {
        let (done, watched) = oneshot::channel();
        self.send(Command::Watch { link, producer, room, done }).await?;
        Ok(watched)
    }

    /// Lets a media thread have what is watched: when this returns, it will see it before any command that it gets from now on.
    pub(super) async fn share(&self, producers: Vec<ProducerId>, with: usize) -> Result<(), Error> {
        let (done, shared) = oneshot::channel();
        self.send(Command::Share { producers, with, done }).await?;
        shared.await.map_err(|_| Error::Stopped)
    }

    pub(super) async fn stop(&self) {
        let _ = self.send(Command::Stop).await;
    }

    pub(super) fn describe(&self, snapshot: &mut Snapshot) {
        let figures = *self.figures.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        snapshot.relay_links = figures.links;
        snapshot.relay_watched = figures.watched;
        snapshot.relay_shown = figures.shown;
        snapshot.relay_packets_out = figures.packets_out;
        snapshot.relay_packets_in = figures.packets_in;
        snapshot.relay_resent = figures.resent;
        snapshot.relay_repaired = figures.repaired;
        snapshot.relay_lost = figures.lost;
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::Stopped)?;
        let _ = self.waker.wake();
        Ok(())
    }
}

/// The thread's belongings.
pub(super) struct RelayThread {
    poll: Poll,
    udp: Udp,
    relay: Relay,
    inbox: mpsc::Receiver<Command>,
    neighbours: Neighbours,
    directory: Arc<Directory>,
    me: usize,
    links: HashMap<u32, mpsc::Sender<Told>>,
    waiting: HashMap<ProducerId, Vec<oneshot::Sender<bool>>>,
    outbox: Outbox,
    figures: Arc<Mutex<Figures>>,
    figured_at: Instant,
    stuck: bool,
}

/// The socket and the poll of a thread to be, which is the last of so many.
pub(super) struct Prepared {
    poll: Poll,
    udp: Udp,
    pub waker: Arc<Waker>,
}

pub(super) fn prepare(bind: SocketAddr) -> io::Result<Prepared> {
    let (poll, mut udp) = (Poll::new()?, Udp::bind(bind, false)?);
    poll.registry().register(udp.source(), SOCKET, Interest::READABLE)?;
    let waker = Arc::new(Waker::new(poll.registry(), COMMANDS)?);
    Ok(Prepared { poll, udp, waker })
}

impl RelayThread {
    pub(super) fn new(prepared: Prepared, of: usize, neighbours: Neighbours, directory: Arc<Directory>) -> (Self, Relaying) {
        let Prepared { poll, udp, waker } = prepared;
        let (commands, inbox) = mpsc::channel(RELAY_COMMANDS);
        let (me, local, figures) = (of - 1, udp.local_addr(), Arc::default());
        let handle = Relaying { commands, waker, local, figures: Arc::clone(&figures), me };
        let (links, waiting, outbox) = Default::default();
        let relay = Relay::new(now(), of);
        let thread = Self {
            poll,
            udp,
            relay,
            inbox,
            neighbours,
            directory,
            me,
            links,
            waiting,
            outbox,
            figures,
            figured_at: now(),
            stuck: false,
        };
        (thread, handle)
    }

    /// Works until it is told to stop, or nobody can tell it anything.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(16);
        let mut rest = true;
        loop {
            let sleep = if rest { Duration::ZERO } else { self.sleep() };
            if let Err(error) = self.poll.poll(&mut events, Some(sleep))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the thread for other nodes cannot wait for packets");
                return;
            }
            self.cross_over();
            rest = self.read();
            match self.obey() {
                Some(more) => rest |= more,
                None => return,
            }
            if self.relay.next_timeout() <= now() {
                self.relay.handle_timeout(now());
            }
            self.flush();
        }
    }

    fn sleep(&self) -> Duration {
        let sleep = self.relay.next_timeout().saturating_duration_since(now());
        if self.stuck { sleep.min(CROSSING_AGAIN) } else { sleep }
    }

    fn cross_over(&mut self) {
        let (now, relay) = (now(), &mut self.relay);
        self.neighbours.receive(|from, crossing| relay.cross(now, from, crossing));
    }

    /// Takes what came in. True if more may be waiting.
    fn read(&mut self) -> bool {
        for _ in 0..READS_PER_ROUND {
            let (now, relay) = (now(), &mut self.relay);
            let more = self.udp.receive(|Arrival { from, bytes, .. }| {
                // What is longer, or a stranger's, is dropped.
                if bytes.len() <= BYTES {
                    relay.receive(now, from, bytes);
                }
            });
            if !more {
                return false;
            }
            self.flush();
        }
        true
    }

    /// True if more may be waiting; none if it is to end.
    fn obey(&mut self) -> Option<bool> {
        for _ in 0..COMMANDS_PER_ROUND {
            let command = match self.inbox.try_recv() {
                Ok(command) => command,
                Err(mpsc::error::TryRecvError::Empty) => return Some(false),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
            };
            let now = now();
            match command {
                Command::Join(connection) => {
                    let Connection { ours, theirs, keys, to, instead_of, told } = *connection;
                    self.links.insert(ours, told);
                    self.relay.join(now, Terms { ours, theirs, keys, to, asked: to.is_some(), instead_of });
                }
                Command::Part(link) => {
                    self.links.remove(&link);
                    self.relay.part(now, link);
                }
                Command::Leave(link) => {
                    self.links.remove(&link);
                    self.relay.leave(link);
                }
                Command::Hear(link, news) => {
                    let directory = &self.directory;
                    self.relay.hear(now, link, news, |producer| directory.producer(producer));
                }
                Command::Watch { link, producer, room, done } => {
                    self.waiting.entry(producer.clone()).or_default().push(done);
                    self.relay.watch(now, link, producer, room);
                }
                Command::Share { producers, with, done } => {
                    self.relay.share(now, &producers, with);
                    self.flush();
                    if !self.stuck {
                        let _ = done.send(());
                    }
                }
                Command::Stop => return None,
            }
            self.flush();
        }
        Some(true)
    }

    /// Sends what the relay wants sent, and says what it has to say.
    fn flush(&mut self) {
        let mut sent = SentCounts::default();
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Send(to, bytes) => {
                    let sink = &mut |outbox: &Outbox| self.udp.send(outbox, &mut sent);
                    self.outbox.add(Address::Udp(to), sink, |buffer, _| buffer.extend_from_slice(&bytes));
                }
                Output::Tell(link, news) => self.tell(link, Told::News(news)),
                Output::Proven(link) => self.tell(link, Told::Proven),
                Output::Lost(link) => drop(self.links.remove(&link)),
                Output::Watched(producer, came) => {
                    let came = came && self.enter(&producer);
                    for done in self.waiting.remove(&producer).into_iter().flatten() {
                        let _ = done.send(came);
                    }
                }
                Output::Gone(producer) => {
                    if self.directory.producer(&producer) == Some(self.me) {
                        self.directory.forget(&Gone::Producer(producer));
                    }
                }
            }
        }
        self.outbox.send(&mut |outbox| self.udp.send(outbox, &mut sent));
        self.stuck = !self.neighbours.carry(&mut self.relay.crossings);
        let now = now();
        if now.saturating_duration_since(self.figured_at) >= FIGURES_EVERY {
            self.figured_at = now;
            *self.figures.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = self.relay.figures();
        }
    }

    /// Whether a producer of another node has its name here.
    fn enter(&mut self, producer: &ProducerId) -> bool {
        let entered = self.directory.enter_producer(producer, self.me).is_ok();
        let here = entered || self.directory.producer(producer) == Some(self.me);
        if !here {
            self.relay.refuse(producer);
        }
        here
    }

    fn tell(&mut self, link: u32, told: Told) {
        let Some(to) = self.links.get(&link) else { return };
        let Err(error) = to.try_send(told) else { return };
        if matches!(error, mpsc::error::TrySendError::Full(_)) {
            tracing::warn!("another node does not fetch what it is told of media: its connection is given up");
        }
        self.links.remove(&link);
        self.relay.part(now(), link);
    }
}

impl Drop for RelayThread {
    /// Also after a panic: what it had ends.
    fn drop(&mut self) {
        for link in self.links.keys() {
            self.relay.leave(*link);
        }
        self.links.clear();
        self.flush();
    }
}

//! A thread of clients: their sockets, and the loop between them and their clocks.
//! Owns the connections; publishers and subscribers decide what goes over them.
//! Invariant: a thread reads all that waits before it sleeps, so that delay is the server's and not ours.

pub mod connection;
mod keys;
mod publisher;
mod rtcp;
pub mod rtp;
pub mod sockets;
pub mod srtp;
mod subscriber;
mod totals;

use std::collections::VecDeque;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::oneshot;

use self::connection::{Connection, Datagram};
use self::publisher::Publisher;
use self::sockets::Batch;
use self::subscriber::{Arrived, Subscriber};
use crate::plan::{Line, Rates};

pub use self::publisher::Lines;
pub use self::totals::Totals;

const COMMANDS: Token = Token(usize::MAX);
/// The thread looks around at least this often.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// What is to be done on the thread.
enum Command {
    Publish { connection: Box<Connection>, ready: oneshot::Sender<()>, lines: oneshot::Receiver<(Lines, Rates)> },
    Subscribe { connection: Box<Connection>, ready: oneshot::Sender<()>, key_frame: oneshot::Sender<Instant> },
    Take(oneshot::Sender<Totals>),
}

/// A thread of clients. It ends when dropped.
pub struct Media {
    commands: mpsc::Sender<Command>,
    waker: Waker,
}

/// A publisher's connection on its thread.
pub struct Publishing {
    /// Comes when packets can be sent.
    pub ready: oneshot::Receiver<()>,
    /// Tells what to send where.
    pub start: oneshot::Sender<(Lines, Rates)>,
}

/// A subscriber's connection on its thread.
pub struct Watching {
    pub ready: oneshot::Receiver<()>,
    /// Comes with the moment at which the first key frame was complete and opened.
    pub key_frame: oneshot::Receiver<Instant>,
}

impl Media {
    pub fn start(name: &str, line: Line, open_every: u64) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), COMMANDS)?;
        let (commands, inbox) = mpsc::channel();
        let clients = Clients {
            poll,
            inbox,
            clients: Vec::new(),
            line,
            open_every,
            dice: 0x9e37_79b9_7f4a_7c15,
            delayed: VecDeque::new(),
            totals: Totals::default(),
            cpu: Duration::ZERO,
        };
        thread::Builder::new().name(name.to_owned()).spawn(move || clients.run()).context("cannot start a media thread")?;
        Ok(Self { commands, waker })
    }

    pub fn publish(&self, connection: Connection) -> anyhow::Result<Publishing> {
        let (ready, is_ready) = oneshot::channel();
        let (start, lines) = oneshot::channel();
        self.tell(Command::Publish { connection: Box::new(connection), ready, lines })?;
        Ok(Publishing { ready: is_ready, start })
    }

    pub fn subscribe(&self, connection: Connection) -> anyhow::Result<Watching> {
        let (ready, is_ready) = oneshot::channel();
        let (key_frame, has_key_frame) = oneshot::channel();
        self.tell(Command::Subscribe { connection: Box::new(connection), ready, key_frame })?;
        Ok(Watching { ready: is_ready, key_frame: has_key_frame })
    }

    /// The counts since they were last taken.
    pub async fn take(&self) -> anyhow::Result<Totals> {
        let (answer, totals) = oneshot::channel();
        self.tell(Command::Take(answer))?;
        totals.await.context("a media thread has ended")
    }

    fn tell(&self, command: Command) -> anyhow::Result<()> {
        self.commands.send(command).ok().context("a media thread has ended")?;
        Ok(self.waker.wake()?)
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        // The thread finds its inbox closed once it wakes.
        let (closed, _) = mpsc::channel();
        self.commands = closed;
        let _ = self.waker.wake();
    }
}

/// The thread's belongings.
struct Clients {
    poll: Poll,
    inbox: mpsc::Receiver<Command>,
    clients: Vec<Client>,
    line: Line,
    open_every: u64,
    dice: u64,
    /// Packets under way on a line with delay: bounded by the rate times the delay.
    delayed: VecDeque<Delayed>,
    totals: Totals,
    cpu: Duration,
}

struct Client {
    connection: Connection,
    ready: Option<oneshot::Sender<()>>,
    role: Role,
}

enum Role {
    /// Does not know yet what to send.
    Waits(oneshot::Receiver<(Lines, Rates)>),
    Publishes(Publisher),
    Subscribes(Subscriber),
}

struct Delayed {
    due: Instant,
    client: usize,
    at: u64,
    datagram: Vec<u8>,
}

impl Clients {
    fn run(mut self) {
        let mut events = Events::with_capacity(1_024);
        let mut batch = Batch::new();
        loop {
            let now = Instant::now();
            let due = self.clients.iter().map(Client::due).chain(self.delayed.front().map(|packet| packet.due)).min();
            let sleep = due.map_or(LONGEST_SLEEP, |due| due.saturating_duration_since(now)).min(LONGEST_SLEEP);
            if let Err(error) = self.poll.poll(&mut events, Some(sleep))
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                return;
            }
            for event in &events {
                if event.token() != COMMANDS {
                    self.read(event.token().0, &mut batch);
                }
            }
            if !self.obey() {
                return;
            }
            let now = Instant::now();
            while self.delayed.front().is_some_and(|packet| packet.due <= now) {
                if let Some(mut packet) = self.delayed.pop_front() {
                    let felt = packet.at + self.line.delay.as_nanos() as u64;
                    let arrived = Arrived { now, at: packet.at, felt };
                    self.clients[packet.client].take(&arrived, &mut packet.datagram, &mut self.totals);
                }
            }
            for (seed, client) in self.clients.iter_mut().enumerate() {
                if client.due() <= now {
                    client.act(now, seed as u32, &mut self.totals);
                }
            }
        }
    }

    fn read(&mut self, at: usize, batch: &mut Batch) {
        let Some(client) = self.clients.get_mut(at) else { return };
        loop {
            let count = batch.receive(client.connection.raw());
            let now = Instant::now();
            for datagram in 0..count {
                let (bytes, arrived) = batch.datagram(datagram);
                let arrived = arrived.unwrap_or_else(sockets::wall_clock);
                let subscribes = client.connection.session.is_some() && matches!(client.role, Role::Subscribes(_));
                if subscribes && self.line.loss > 0.0 && chance(&mut self.dice) < self.line.loss {
                    self.totals.lost_by_line += 1;
                } else if subscribes && !self.line.delay.is_zero() {
                    let due = now + self.line.delay;
                    self.delayed.push_back(Delayed { due, client: at, at: arrived, datagram: bytes.to_vec() });
                } else {
                    client.take(&Arrived { now, at: arrived, felt: arrived }, bytes, &mut self.totals);
                }
            }
            if !batch.is_full() {
                return;
            }
        }
    }

    /// False once nobody can tell us anything any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Publish { connection, ready, lines }) => self.add(*connection, ready, Role::Waits(lines)),
                Ok(Command::Subscribe { connection, ready, key_frame }) => {
                    let seed = self.clients.len() as u32;
                    let subscriber = Subscriber::new(Instant::now(), seed, self.open_every, key_frame);
                    self.add(*connection, ready, Role::Subscribes(subscriber));
                }
                Ok(Command::Take(answer)) => {
                    let mut totals = std::mem::take(&mut self.totals);
                    let cpu = sockets::thread_cpu();
                    totals.cpu = cpu - std::mem::replace(&mut self.cpu, cpu);
                    totals.connected = self.clients.iter().filter(|client| client.is_connected()).count() as u64;
                    totals.ended = self.clients.iter().filter(|client| client.connection.ended).count() as u64;
                    let _ = answer.send(totals);
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn add(&mut self, mut connection: Connection, ready: oneshot::Sender<()>, role: Role) {
        let token = Token(self.clients.len());
        let registered = self.poll.registry().register(connection.source(), token, Interest::READABLE);
        connection.ended |= registered.is_err();
        connection.catch_up(Instant::now());
        self.clients.push(Client { connection, ready: Some(ready), role });
    }
}

impl Client {
    fn is_connected(&self) -> bool {
        self.connection.session.is_some() && !self.connection.ended
    }

    fn due(&self) -> Instant {
        let media = match &self.role {
            _ if !self.is_connected() => None,
            Role::Waits(_) => None,
            Role::Publishes(publisher) => publisher.next(),
            Role::Subscribes(subscriber) => Some(subscriber.next()),
        };
        media.map_or(self.connection.deadline, |media| media.min(self.connection.deadline))
    }

    fn act(&mut self, now: Instant, seed: u32, totals: &mut Totals) {
        if self.connection.deadline <= now && self.connection.catch_up(now) {
            self.tell_ready();
        }
        if let Role::Waits(lines) = &mut self.role
            && let Ok((lines, rates)) = lines.try_recv()
        {
            self.role = Role::Publishes(Publisher::new(now, seed, &lines, rates));
        }
        match &mut self.role {
            Role::Publishes(publisher) => publisher.send(now, &mut self.connection, totals),
            Role::Subscribes(subscriber) => subscriber.report(now, &mut self.connection),
            Role::Waits(_) => {}
        }
    }

    fn take(&mut self, arrived: &Arrived, datagram: &mut [u8], totals: &mut Totals) {
        match connection::kind(datagram) {
            Datagram::Other => {
                if self.connection.handle(arrived.now, datagram) {
                    self.tell_ready();
                }
            }
            Datagram::Rtp => {
                if let Role::Subscribes(subscriber) = &mut self.role {
                    subscriber.take(arrived, &self.connection, datagram, totals);
                }
            }
            Datagram::Rtcp => {
                let Some(session) = &self.connection.session else { return };
                match (session.receiving.open_rtcp(datagram), &mut self.role) {
                    (Some(report), Role::Publishes(publisher)) => publisher.hear(arrived.now, report, totals),
                    (Some(report), Role::Subscribes(subscriber)) => subscriber.hear(arrived.now, report),
                    (Some(_), Role::Waits(_)) => {}
                    (None, _) => totals.bad += 1,
                }
            }
        }
    }

    fn tell_ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(());
        }
    }
}

/// A number from 0 to 1 (xorshift, the same on each run).
fn chance(dice: &mut u64) -> f64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    (*dice >> 11) as f64 / (1u64 << 53) as f64
}

//! A thread of clients: their sockets, and the loop between them and their clocks.
//! Owns the connections; a `Role` decides what goes over each.
//! Invariant: a thread reads all that waits before it sleeps, so that delay is the server's and not ours.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::time::{ClockId, clock_gettime};
use salon_udp::{Batch, Wait, wall_clock};
use tokio::sync::oneshot;

use crate::connection::{self, Connection, Datagram};

const COMMANDS: Token = Token(usize::MAX);
/// Datagrams read in one call, and more bytes than one of WebRTC has.
const BATCH: usize = 32;
const DATAGRAM: usize = 2_048;
/// The thread looks around at least this often.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// CPU time this thread has used.
pub fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a client does with its connection. It is asked and told only while packets can be sent and opened.
pub trait Role: Send + 'static {
    /// What the clients of a thread count together.
    type Tally: Default + Send + 'static;

    /// When it has something to do, if nothing comes.
    fn due(&self) -> Option<Instant>;
    /// That time has come, or something else woke the thread.
    fn act(&mut self, now: Instant, connection: &mut Connection, tally: &mut Self::Tally);
    /// Takes an RTP packet, still sealed.
    fn take(&mut self, arrived: &Arrived, connection: &Connection, packet: &mut [u8], tally: &mut Self::Tally);
    /// Hears a compound RTCP packet, in the clear.
    fn hear(&mut self, now: Instant, report: &[u8], tally: &mut Self::Tally);
}

/// A packet's arrival.
pub struct Arrived {
    pub now: Instant,
    /// Wall-clock nanoseconds at which the kernel had it.
    pub at: u64,
    /// The same after the delay of the line that was asked for.
    pub felt: u64,
}

/// What the way from the server does to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Share of packets lost, from 0 to 1.
    pub loss: f64,
    pub delay: Duration,
}

/// The counts of a thread since they were last taken.
#[derive(Debug, Default)]
pub struct Taken<T> {
    /// What its roles counted.
    pub tally: T,
    /// Lost by the line that was asked for.
    pub lost_by_line: u64,
    /// Reports that did not open.
    pub bad_reports: u64,
    /// CPU time of the thread.
    pub cpu: Duration,
    /// Connections, now: those that are ready, and those that are gone.
    pub connected: u64,
    pub ended: u64,
}

/// What is to be done on the thread.
enum Command<R: Role> {
    Carry { connection: Box<Connection>, role: Box<R>, ready: oneshot::Sender<()> },
    Take(oneshot::Sender<Taken<R::Tally>>),
}

/// A thread of clients. It ends when dropped.
pub struct Media<R: Role> {
    commands: mpsc::Sender<Command<R>>,
    waker: Waker,
}

impl<R: Role> Media<R> {
    /// # Errors
    /// If the system has no thread left, or nothing to wait with.
    pub fn start(name: &str, line: Line) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), COMMANDS)?;
        let (commands, inbox) = mpsc::channel();
        let clients = Clients {
            poll,
            inbox,
            clients: Vec::new(),
            line,
            dice: 0x9e37_79b9_7f4a_7c15,
            delayed: VecDeque::new(),
            taken: Taken::default(),
            cpu: Duration::ZERO,
        };
        thread::Builder::new().name(name.to_owned()).spawn(move || clients.run()).context("cannot start a media thread")?;
        Ok(Self { commands, waker })
    }

    /// Carries a connection; the answer comes when packets can be sent.
    ///
    /// # Errors
    /// If the thread has ended.
    pub fn carry(&self, connection: Connection, role: R) -> anyhow::Result<oneshot::Receiver<()>> {
        let (ready, is_ready) = oneshot::channel();
        self.tell(Command::Carry { connection: Box::new(connection), role: Box::new(role), ready })?;
        Ok(is_ready)
    }

    /// The counts since they were last taken.
    ///
    /// # Errors
    /// If the thread has ended.
    pub async fn take(&self) -> anyhow::Result<Taken<R::Tally>> {
        let (answer, taken) = oneshot::channel();
        self.tell(Command::Take(answer))?;
        taken.await.context("a media thread has ended")
    }

    fn tell(&self, command: Command<R>) -> anyhow::Result<()> {
        self.commands.send(command).ok().context("a media thread has ended")?;
        Ok(self.waker.wake()?)
    }
}

impl<R: Role> Drop for Media<R> {
    fn drop(&mut self) {
        // The thread finds its inbox closed once it wakes.
        let (closed, _) = mpsc::channel();
        self.commands = closed;
        let _ = self.waker.wake();
    }
}

/// The thread's belongings.
struct Clients<R: Role> {
    poll: Poll,
    inbox: mpsc::Receiver<Command<R>>,
    clients: Vec<Client<R>>,
    line: Line,
    dice: u64,
    /// Packets under way on a line with delay: bounded by the rate times the delay.
    delayed: VecDeque<Delayed>,
    taken: Taken<R::Tally>,
    cpu: Duration,
}

struct Client<R> {
    connection: Connection,
    ready: Option<oneshot::Sender<()>>,
    role: R,
}

struct Delayed {
    due: Instant,
    client: usize,
    at: u64,
    datagram: Vec<u8>,
}

impl<R: Role> Clients<R> {
    fn run(mut self) {
        let mut events = Events::with_capacity(1_024);
        let mut batch = Batch::new(BATCH, DATAGRAM);
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
                    self.clients[packet.client].take(&arrived, &mut packet.datagram, &mut self.taken);
                }
            }
            for client in self.clients.iter_mut().filter(|client| client.due() <= now) {
                client.act(now, &mut self.taken.tally);
            }
        }
    }

    fn read(&mut self, at: usize, batch: &mut Batch) {
        let Some(client) = self.clients.get_mut(at) else { return };
        loop {
            // An error says that there is nothing, or that an earlier datagram met a closed port.
            let count = batch.receive(client.connection.socket(), Wait::No).unwrap_or(0);
            let now = Instant::now();
            for nth in 0..count {
                let came = batch.arrivals(nth);
                let (bytes, arrived) = (came.bytes, came.at.unwrap_or_else(wall_clock));
                // A handshake is not what the line is asked to spoil.
                let ready = client.connection.is_ready();
                if ready && self.line.loss > 0.0 && chance(&mut self.dice) < self.line.loss {
                    self.taken.lost_by_line += 1;
                } else if ready && !self.line.delay.is_zero() {
                    let due = now + self.line.delay;
                    self.delayed.push_back(Delayed { due, client: at, at: arrived, datagram: bytes.to_vec() });
                } else {
                    client.take(&Arrived { now, at: arrived, felt: arrived }, bytes, &mut self.taken);
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
                Ok(Command::Carry { connection, role, ready }) => self.add(*connection, *role, ready),
                Ok(Command::Take(answer)) => {
                    let mut taken = std::mem::take(&mut self.taken);
                    let cpu = thread_cpu();
                    taken.cpu = cpu - std::mem::replace(&mut self.cpu, cpu);
                    taken.connected = self.clients.iter().filter(|client| client.connection.is_ready()).count() as u64;
                    taken.ended = self.clients.iter().filter(|client| client.connection.has_ended()).count() as u64;
                    let _ = answer.send(taken);
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn add(&mut self, mut connection: Connection, role: R, ready: oneshot::Sender<()>) {
        let token = Token(self.clients.len());
        if self.poll.registry().register(connection.source(), token, Interest::READABLE).is_err() {
            connection.give_up();
        }
        connection.catch_up(Instant::now());
        self.clients.push(Client { connection, ready: Some(ready), role });
    }
}

impl<R: Role> Client<R> {
    fn due(&self) -> Instant {
        let deadline = self.connection.deadline();
        let media = self.role.due().filter(|_| self.connection.is_ready());
        media.map_or(deadline, |media| media.min(deadline))
    }

    fn act(&mut self, now: Instant, tally: &mut R::Tally) {
        if self.connection.deadline() <= now && self.connection.catch_up(now) {
            self.tell_ready();
        }
        if self.connection.is_ready() {
            self.role.act(now, &mut self.connection, tally);
        }
    }

    fn take(&mut self, arrived: &Arrived, datagram: &mut [u8], taken: &mut Taken<R::Tally>) {
        match connection::kind(datagram) {
            Datagram::Other => {
                if self.connection.handle(arrived.now, datagram) {
                    self.tell_ready();
                }
            }
            _ if !self.connection.is_ready() => {}
            Datagram::Rtp => self.role.take(arrived, &self.connection, datagram, &mut taken.tally),
            Datagram::Rtcp => match self.connection.open_rtcp(datagram) {
                Some(report) => self.role.hear(arrived.now, report, &mut taken.tally),
                None => taken.bad_reports += 1,
            },
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

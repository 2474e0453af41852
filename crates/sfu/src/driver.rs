//! The media threads: each its sockets, a command queue, an engine and the loop between them.
//! Owns the clock and the sockets; decides nothing. Sleeps until a packet, a command or a deadline comes.
//! Invariant: whatever the engine wants sent leaves before the thread sleeps, to other threads before to clients.
//! Next: `driver/handle.rs` for the way of a request, `driver/neighbours.rs` for the ways between threads, `driver/tcp.rs`,
//! `driver/addresses.rs` for what clients are told.

mod addresses;
mod clock;
mod command;
mod directory;
mod handle;
mod health;
mod memory;
mod neighbours;
mod packed;
mod relay;
mod resume;
mod seats;
mod sent;
mod tcp;
mod udp;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use self::clock::{now, wall};
use self::command::Command;
use self::directory::Directory;
use self::handle::Line;
use self::health::Pulse;
use self::memory::Memory;
use self::neighbours::{Neighbours, neighbours};
use self::relay::RelayThread;
use self::sent::SentCounts;
use self::tcp::Tcp;
use self::tcp::lobby::Lobby;
use self::udp::Udp;
use crate::counters::DropReason;
use crate::engine::address::Address;
use crate::engine::egress::outbox::Outbox;
use crate::engine::saved::Saved;
use crate::engine::{Engine, Output};
use crate::limits::{COMMAND_QUEUE, CROSSING_AGAIN, EVENT_QUEUE, Limits, RESTARTS, RESTARTS_WITHIN, THREADS_AT_MOST};
use crate::{Certificate, CloseReason, Config, Event, Resumed, Secret, TransportId};

pub use self::addresses::addresses;
pub use self::handle::Sfu;
pub use self::health::Health;
pub use self::packed::{Handed, HandedTcp, PACKED, Packed, PackedTcp};
pub use self::relay::{Connection, Relaying, Told};
pub use self::tcp::framing::begins_media;

/// Why there is no media thread.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not of this machine.
    #[error("cannot bind UDP {0}: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The same of the address for other nodes.
    #[error("cannot bind UDP {0} for media of other nodes: {1}")]
    Relay(SocketAddr, #[source] io::Error),
    /// Each thread takes a port, and there are none so high.
    #[error("{0} media threads need as many ports from {1} on, which is past 65535")]
    Ports(usize, u16),
    /// More than names can tell apart.
    #[error("{0} media threads are too many: at most 64")]
    Threads(usize),
    /// Only Linux shares a port out among threads.
    #[error("one port for several media threads needs Linux")]
    OnePort,
    /// No address of this machine could be found to tell clients.
    #[error("no address to announce; set one in the configuration")]
    NoAddress,
    /// The crypto library made no certificate.
    #[error("cannot make a certificate")]
    Certificate,
    /// The operating system gave no thread or poll.
    #[error("cannot start the media thread: {0}")]
    Thread(#[from] io::Error),
}

const SOCKET: Token = Token(0);
const COMMANDS: Token = Token(1);
/// The first of the tokens of TCP connections.
const CONNECTIONS: Token = Token(2);

/// Reads of the socket before commands and timeouts get their turn. Raising it favours throughput over both.
const READS_PER_ROUND: usize = 8;

/// Reads of TCP connections before everything else gets its turn.
const TCP_READS_PER_ROUND: usize = 16;

/// Commands handled before packets get their turn. An SDP takes about a millisecond.
const COMMANDS_PER_ROUND: usize = 4;

/// Polls cannot wait for less; times below this are slept, and only those: a sleeper does not hear sound that comes.
const POLL_WAITS: Duration = Duration::from_micros(300);

/// Longer than any packet waits for others of its picture.
const GATHERED_FOR: Duration = Duration::from_millis(10);

/// How soon to try again when the server does not fetch its events.
const EVENTS_STUCK: Duration = Duration::from_millis(20);

/// What a thread moves is counted over this time, to find the least busy one.
const BUSY_OVER: Duration = Duration::from_secs(1);

/// Starts the media threads. The receiver must be read: state events wait for it in the threads.
///
/// # Errors
/// If a port cannot be bound, or the machine does not give what is needed.
pub fn start(config: Config) -> Result<(Sfu, mpsc::Receiver<Event>), StartError> {
    resume(config, None).map(|(sfu, events, _)| (sfu, events))
}

/// Starts the media threads, which go on with the connections of a run before, if there are any: the third is those. With what
/// another process handed over there are as many threads as it had, on its sockets.
///
/// # Errors
/// As `start`.
pub fn resume(mut config: Config, handed: Option<Vec<Handed>>) -> Result<(Sfu, mpsc::Receiver<Event>, Vec<Resumed>), StartError> {
    let threads = match config.threads {
        _ if handed.is_some() => handed.as_ref().map_or(0, Vec::len),
        0 => thread::available_parallelism().map_or(1, usize::from).min(THREADS_AT_MOST),
        asked if asked > THREADS_AT_MOST => return Err(StartError::Threads(asked)),
        asked => asked,
    };
    // What one thread gave out, another may have to recognise.
    config.secret = Some(config.secret.map_or_else(fresh_secret, Ok)?);
    config.certificate = Some(config.certificate.or_else(Certificate::fresh).ok_or(StartError::Certificate)?);
    let (mut given, mut tcp_given) = (Vec::new(), VecDeque::new());
    let sockets = match handed {
        None => sockets(&config, threads)?,
        Some(handed) => {
            let mut sockets = Vec::new();
            for Handed { udp, words, saved, tcp } in handed {
                sockets.push(Udp::on(udp)?);
                given.extend(words.map(|words| (words, saved)));
                tcp_given.push_back(tcp);
            }
            sockets
        }
    };
    let polls = sockets.iter().map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
    let wakers = polls.iter().map(|poll| Ok(Arc::new(Waker::new(poll.registry(), COMMANDS)?)));
    let wakers = wakers.collect::<io::Result<Vec<_>>>()?;
    let directory = Arc::new(Directory::new(threads, config.limits.clone(), config.room_per_thread));
    let (events, outbox) = mpsc::channel(EVENT_QUEUE);
    let lobby = Arc::new(Lobby::new(config.limits.tcp_connections));
    let ports: Vec<u16> = sockets.iter().map(|udp| udp.local_addr().port()).collect();
    let (mut memories, left) = match given.len() {
        all if all == ports.len() => resume::handed(config.memory.as_deref(), &ports, given, &tcp_given)?,
        _ => resume::open(config.memory.as_deref(), &ports),
    };
    if memories.is_empty() && config.hand_over {
        memories = resume::fresh(&ports);
    }
    let relay = config.relay.map(|bind| relay::prepare(bind).map_err(|e| StartError::Relay(bind, e))).transpose()?;
    let (mut shards, mut lines) = (Vec::new(), Vec::new());
    let all_wakers: Vec<_> = wakers.iter().chain(relay.as_ref().map(|relay| &relay.waker)).cloned().collect();
    let mut ways = neighbours(&all_wakers);
    let relay = relay.and_then(|relay| Some((relay, ways.pop()?)));
    let relay = relay.map(|(relay, ways)| RelayThread::new(relay, all_wakers.len(), ways, Arc::clone(&directory)));
    let parts = sockets.into_iter().zip(polls).zip(ways).zip(wakers);
    for (me, (((mut udp, poll), neighbours), waker)) in parts.enumerate() {
        poll.registry().register(udp.source(), SOCKET, Interest::READABLE)?;
        let local = udp.local_addr();
        let candidates = addresses(local, &config.announce);
        if candidates.is_empty() {
            return Err(StartError::NoAddress);
        }
        let over_tcp = config.tcp.iter().copied().map(Address::Tcp);
        let candidates: Vec<_> = candidates.into_iter().map(Address::Udp).chain(over_tcp).collect();
        tracing::info!(thread = me, port = local.port(), addresses = candidates.len(), "media thread starts");
        let recipe = Recipe {
            me,
            threads,
            one_port: config.single_port,
            relay: relay.is_some(),
            candidates,
            limits: config.limits.clone(),
            secret: config.secret.clone(),
            certificate: config.certificate.clone(),
        };
        let memory = memories.pop_front();
        let words = left.get(me).into_iter().flatten().flat_map(Saved::all_words).collect();
        let engine = recipe.engine(memory.as_ref(), &words).ok_or(StartError::Certificate)?;
        let pulse = Arc::new(Pulse::new(now()));
        let (commands, inbox) = mpsc::channel(COMMAND_QUEUE);
        let tcp = Tcp::new(poll.registry().try_clone()?, Arc::clone(&lobby), CONNECTIONS);
        lines.push(Line { commands, waker, local, pulse: Arc::clone(&pulse) });
        shards.push(Shard {
            recipe,
            pulse,
            poll,
            udp,
            tcp,
            engine,
            outbox: Outbox::default(),
            inbox,
            neighbours,
            directory: Arc::clone(&directory),
            events: events.clone(),
            waiting: VecDeque::new(),
            stuck: false,
            measured: (now(), 0),
            memory,
        });
    }
    let threads = shards.iter_mut().map(|shard| resume::Thread { engine: &mut shard.engine, neighbours: &shard.neighbours });
    let resumed = resume::go_on(&mut threads.collect::<Vec<_>>(), &left, &directory);
    for (shard, tcp) in shards.iter_mut().zip(tcp_given) {
        for stream in tcp {
            // A client whose connection cannot be gone on with makes another.
            let _ = shard.tcp.go_on(now(), stream);
        }
    }
    for shard in shards {
        thread::Builder::new().name(format!("media-{}", shard.recipe.me)).spawn(move || shard.run())?;
    }
    let relaying = match relay {
        Some((thread, handle)) => {
            thread::Builder::new().name("media-relay".to_owned()).spawn(move || thread.run())?;
            Some(handle)
        }
        None => None,
    };
    Ok((Sfu::new(lines, directory, lobby, relaying), outbox, resumed))
}

/// A socket for each thread: on ports that follow each other, or all on one.
fn sockets(config: &Config, threads: usize) -> Result<Vec<Udp>, StartError> {
    let bind = |address, shared| Udp::bind(address, shared).map_err(|e| StartError::Bind(address, e));
    if !config.single_port || threads == 1 {
        let port = config.bind.port();
        let last = u16::try_from(threads - 1).ok().and_then(|more| port.checked_add(more));
        let last = last.ok_or(StartError::Ports(threads, port))?;
        // Port 0 stands for any free one, each time.
        let ports = (port..=last).map(|next| if port == 0 { 0 } else { next });
        return ports.map(|port| bind(SocketAddr::new(config.bind.ip(), port), false)).collect();
    }
    if !cfg!(target_os = "linux") {
        return Err(StartError::OnePort);
    }
    // Another process could share the port, too: the first socket finds out whether it is free, and which one it is.
    let address = bind(config.bind, false)?.local_addr();
    (0..threads).map(|_| bind(address, true)).collect()
}

fn fresh_secret() -> Result<Secret, StartError> {
    let mut fresh = [0; 32];
    aws_lc_rs::rand::fill(&mut fresh).map_err(|_| StartError::Certificate)?;
    Ok(Secret(fresh))
}

/// What an engine is made from, the first time and after a bug broke it.
struct Recipe {
    me: usize,
    threads: usize,
    one_port: bool,
    /// There is one thread more, for other nodes.
    relay: bool,
    candidates: Vec<Address>,
    limits: Limits,
    secret: Option<Secret>,
    certificate: Option<Certificate>,
}

impl Recipe {
    /// An engine for this memory, of which an earlier run left these words. None if the crypto library makes no certificate.
    fn engine(&self, memory: Option<&Memory>, left: &HashSet<u32>) -> Option<Engine> {
        let (limits, secret, certificate) = (self.limits.clone(), self.secret.clone(), self.certificate.clone());
        let engine = Engine::new(now(), wall(), self.candidates.clone(), limits, secret, certificate)?;
        let engine = match self.relay {
            true => engine.among(self.me, self.threads + 1, self.one_port).with_relay(),
            false => engine.among(self.me, self.threads, self.one_port),
        };
        Some(match memory {
            None => engine,
            Some(memory) => engine.lasting(memory.words(), memory.ready(), left),
        })
    }
}

/// A thread's belongings.
struct Shard {
    recipe: Recipe,
    pulse: Arc<Pulse>,
    poll: Poll,
    udp: Udp,
    tcp: Tcp,
    engine: Engine,
    /// What is sent one by one, such as answers to checks. Empty between calls; kept for its memory.
    outbox: Outbox,
    inbox: mpsc::Receiver<Command>,
    neighbours: Neighbours,
    directory: Arc<Directory>,
    events: mpsc::Sender<Event>,
    /// State events that found the queue full; bounded by what changes state, which are transports.
    waiting: VecDeque<Event>,
    /// Another thread did not take what is for it.
    stuck: bool,
    /// When it was last counted how much is moved, and how much had been by then.
    measured: (Instant, u64),
    /// What outlives the process.
    memory: Option<Memory>,
}

impl Drop for Shard {
    /// Also after a panic: the other threads go on.
    fn drop(&mut self) {
        self.directory.ended(self.recipe.me);
    }
}

impl Shard {
    /// Works until it is told to stop. A bug that nothing else holds ends all transports of this thread, and the thread goes
    /// on with an engine that knows nothing.
    fn run(mut self) {
        let mut restarts = VecDeque::new();
        loop {
            let bug = match catch_unwind(AssertUnwindSafe(|| self.work())) {
                Ok(Ended::Stopped) => return self.pulse.stopped(),
                Ok(Ended::Broken) => false,
                Err(_) => true,
            };
            restarts.push_back(now());
            restarts.retain(|at: &Instant| now().saturating_duration_since(*at) < RESTARTS_WITHIN);
            if !bug || restarts.len() > RESTARTS || !self.begin_anew() {
                return self.give_up();
            }
        }
    }

    /// After a bug: goes on without all that was here. False if that cannot be.
    fn begin_anew(&mut self) -> bool {
        if !self.replace_engine() {
            return false;
        }
        let lost = self.directory.lost(self.recipe.me);
        tracing::error!(thread = self.recipe.me, transports = lost.len(), "media thread lost all it had by a bug, and goes on");
        self.pulse.restarted();
        self.close_events(lost);
        true
    }

    /// Ends by itself. Those who were here hear of it, and nobody comes here any more.
    fn give_up(mut self) {
        tracing::error!(thread = self.recipe.me, "media thread ends");
        self.pulse.ended();
        self.inbox.close();
        let lost = self.directory.ended(self.recipe.me);
        self.close_events(lost);
        // The other threads have mirrors of what was here.
        self.replace_engine();
        self.neighbours.carry(&mut self.engine.crossings);
        for event in std::mem::take(&mut self.waiting) {
            let _ = self.events.blocking_send(event);
        }
    }

    /// An engine that knows nothing in the place of one that may be in any state. False if none can be made.
    fn replace_engine(&mut self) -> bool {
        if let Some(memory) = &self.memory {
            self.directory.on(self.recipe.me).iter().for_each(|lost| memory.forget(lost.as_str()));
        }
        let Some(fresh) = self.recipe.engine(self.memory.as_ref(), &HashSet::new()) else { return false };
        let fresh = fresh.succeed(&mut self.engine);
        let broken = std::mem::replace(&mut self.engine, fresh);
        let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
        self.tcp.close_all(&mut self.engine);
        self.outbox.clear();
        true
    }

    fn close_events(&mut self, lost: Vec<TransportId>) {
        let closed = |transport| Event::TransportClosed { transport, reason: CloseReason::Panicked };
        self.waiting.extend(lost.into_iter().map(closed));
    }

    fn work(&mut self) -> Ended {
        let mut events = Events::with_capacity(256);
        // Readiness is told once: with a rest left in the socket or queue the thread must not sleep. So it is after a bug.
        let mut rest = true;
        loop {
            let sleep = match if rest { Duration::ZERO } else { self.sleep() } {
                // A poll would wait for a whole millisecond. What comes meanwhile is what is waited for.
                short if short < POLL_WAITS => {
                    thread::sleep(short);
                    Duration::ZERO
                }
                long => long,
            };
            if let Err(error) = self.poll.poll(&mut events, Some(sleep))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "media thread cannot wait for packets");
                return Ended::Broken;
            }
            self.cross_over();
            for event in events.iter().filter(|event| event.token() >= CONNECTIONS) {
                self.tcp.hear(event);
            }
            let more_packets = self.read() | self.read_tcp();
            let now = now();
            self.pulse.turned(now);
            if let Some(memory) = &self.memory {
                memory.alive(wall());
            }
            self.tcp.sweep(now, &mut self.engine);
            if self.engine.next_timeout() <= now {
                self.engine.handle_timeout(now);
            }
            self.flush();
            self.measure(now);
            match self.obey() {
                Obeyed::All => rest = more_packets,
                Obeyed::More => rest = true,
                Obeyed::Stop => return Ended::Stopped,
            }
            self.deliver();
        }
    }

    fn sleep(&self) -> Duration {
        let next = self.tcp.next_timeout().into_iter().fold(self.engine.next_timeout(), Instant::min);
        let mut sleep = next.saturating_duration_since(now());
        if !self.waiting.is_empty() {
            sleep = sleep.min(EVENTS_STUCK);
        }
        if self.stuck { sleep.min(CROSSING_AGAIN) } else { sleep }
    }

    /// Takes what came from other threads.
    fn cross_over(&mut self) {
        let (now, mut some) = (now(), false);
        self.neighbours.receive(|from, crossing| {
            some = true;
            self.engine.handle_crossing(now, from, crossing);
        });
        if some {
            self.flush();
        }
    }

    /// Tells how busy this thread is.
    fn measure(&mut self, now: Instant) {
        let (since, before) = self.measured;
        let passed = now.saturating_duration_since(since);
        if passed >= BUSY_OVER {
            let counters = &self.engine.counters;
            let moved = counters.datagrams_in + counters.packets_out + counters.packets_crossed;
            self.directory.is_busy(self.recipe.me, ((moved - before) as f64 / passed.as_secs_f64()) as u64);
            self.measured = (now, moved);
        }
    }

    /// Takes what came in. True if more may be waiting. What comes of it leaves together.
    fn read(&mut self) -> bool {
        for _ in 0..READS_PER_ROUND {
            let now = now();
            let (engine, neighbours) = (&mut self.engine, &self.neighbours);
            let mut first = true;
            let more = self.udp.receive(|arrival| {
                // What another thread told before it answered a client is known before the client's next datagram.
                if std::mem::take(&mut first) {
                    neighbours.receive(|from, crossing| engine.handle_crossing(now, from, crossing));
                }
                engine.handle_arrival(now, arrival.at.min(now), Address::Udp(arrival.from), arrival.bytes);
            });
            if !more {
                return false;
            }
        }
        true
    }

    /// As `read`, from those on TCP.
    fn read_tcp(&mut self) -> bool {
        for _ in 0..TCP_READS_PER_ROUND {
            if !self.tcp.read(now(), &mut self.engine) {
                return false;
            }
            self.flush();
        }
        true
    }

    fn obey(&mut self) -> Obeyed {
        for _ in 0..COMMANDS_PER_ROUND {
            match self.inbox.try_recv() {
                Ok(Command::Stop(done)) => {
                    self.engine.close_all(now());
                    self.flush();
                    self.inbox.close();
                    let _ = done.send(());
                    return Obeyed::Stop;
                }
                Ok(Command::Pack(packed, release)) => {
                    self.pack(packed, &release);
                    return Obeyed::More;
                }
                #[cfg(test)]
                Ok(Command::Panic) => panic!("a bug"),
                Ok(Command::Adopt(newcomer)) => self.tcp.adopt(now(), *newcomer, &mut self.engine),
                Ok(Command::Do(errand)) => {
                    // It may speak of what another thread shared before.
                    self.cross_over();
                    errand.carry_out(&mut self.engine, &self.directory, &self.neighbours, &mut self.memory, now());
                }
                Err(mpsc::error::TryRecvError::Empty) => return Obeyed::All,
                // The last handle is gone: nobody can use the rooms any more.
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.engine.close_all(now());
                    self.flush();
                    return Obeyed::Stop;
                }
            }
            self.flush();
        }
        Obeyed::More
    }

    /// Packs everything for another process, and then does nothing until it is known whether that goes on with it.
    fn pack(&mut self, packed: oneshot::Sender<Packed>, release: &std::sync::mpsc::Receiver<()>) {
        self.cross_over();
        // What waits for others of its picture is sent while its number is known here.
        let soon = now() + GATHERED_FOR;
        let mut sent = SentCounts::default();
        self.engine.flush(soon, &mut |outbox| send(&self.udp, &mut self.tcp, outbox, &mut sent));
        sent.count(&mut self.engine.counters);
        self.flush();
        let words = self.memory.as_ref().map(|memory| memory.file_of_words().as_raw_fd());
        let saved = if words.is_some() { self.engine.save_all(now()) } else { Vec::new() };
        let saved = saved.iter().filter_map(|saved| serde_json::to_string(saved).ok()).collect();
        let all = Packed { udp: self.udp.source().as_raw_fd(), words, saved, tcp: self.tcp.pack() };
        if packed.send(all).is_ok() {
            // It is dropped when this process goes on.
            let _ = release.recv();
        }
    }

    /// Sends what the engine wants sent.
    fn flush(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.save(now(), &mut self.engine);
        }
        // First: where a client is must be known before it is answered.
        self.stuck = !self.neighbours.carry(&mut self.engine.crossings);
        let mut sent = SentCounts::default();
        self.engine.flush(now(), &mut |outbox| send(&self.udp, &mut self.tcp, outbox, &mut sent));
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    let sink = &mut |outbox: &Outbox| send(&self.udp, &mut self.tcp, outbox, &mut sent);
                    self.outbox.add(to, sink, |buffer, _| buffer.extend_from_slice(&bytes));
                }
                Output::Event(event) => {
                    if let Event::TransportConnected { transport } = &event {
                        self.directory.connected(transport);
                    }
                    self.tell(event);
                }
                Output::Gone(gone) => self.directory.forget(&gone),
            }
        }
        self.outbox.send(&mut |outbox| send(&self.udp, &mut self.tcp, outbox, &mut sent));
        sent.count(&mut self.engine.counters);
    }

    fn tell(&mut self, event: Event) {
        let harmless = matches!(event, Event::AudioLevel { .. } | Event::Refused { .. });
        if harmless && (!self.waiting.is_empty() || self.events.capacity() < EVENT_QUEUE / 2) {
            self.engine.counters.dropped(DropReason::EventQueueFull);
            return;
        }
        self.waiting.push_back(event);
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return;
                }
                // Nobody listens: there is nothing to lose.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }
}

/// Sends what is in an outbox, each to whom it is for.
fn send(udp: &Udp, tcp: &mut Tcp, outbox: &Outbox, sent: &mut SentCounts) {
    udp.send(outbox, sent);
    for run in outbox.iter() {
        if let Address::Tcp(to) = run.to {
            tcp.send(to, run, sent);
        }
    }
}

/// Why a thread does not work any more.
enum Ended {
    Stopped,
    /// The system does not let it.
    Broken,
}

enum Obeyed {
    All,
    More,
    Stop,
}

#[cfg(test)]
mod tests {
    mod threads;

    use super::*;
    use crate::{Error, Guest, Role};

    const OFFER: &str = include_str!("sdp/samples/chromium-send.sdp");

    /// Somebody of that name who is in the meeting.
    pub fn someone(name: &str) -> Guest {
        Guest { owner: name.into(), inside: true, note: String::new(), tag: crate::Tag::default() }
    }

    #[tokio::test]
    async fn a_thread_answers_and_stops() {
        let config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (sfu, mut events) = start(config).expect("started");
        let answer =
            sfu.open_transport(&someone("t"), "r".into(), "t".into(), Role::Send, OFFER.into()).await.expect("an answer");
        let candidate = format!(" 127.0.0.1 {} typ host", sfu.local_addrs()[0].port());
        assert!(answer.contains(&candidate), "{answer}");
        assert_eq!(sfu.snapshot().await.transports, 1);
        sfu.close_transport("t".into());
        let snapshot = sfu.snapshot().await;
        assert_eq!((snapshot.transports, snapshot.rooms), (0, 0), "commands are done in order");
        sfu.stop().await;
        assert_eq!(sfu.accept_answer("t".into(), OFFER.into()).await, Err(Error::Stopped));
        assert_eq!(events.recv().await, None);
    }

    #[tokio::test]
    async fn who_makes_room_for_others_is_told_and_leaves_nothing() {
        let limits = Limits { outside_per_owner: 1, outside_for: Duration::ZERO, ..Limits::default() };
        let (sfu, mut events) = start(Config { limits, ..Config::new(SocketAddr::from(([127, 0, 0, 1], 0))) }).expect("started");
        let open = async |name: &str, owner: &str, inside: bool| {
            let guest = Guest { owner: owner.into(), inside, note: String::new(), tag: crate::Tag::default() };
            sfu.open_transport(&guest, "r".into(), name.into(), Role::Send, OFFER.into()).await
        };
        let evicted =
            |transport: &str| Some(Event::TransportClosed { transport: transport.into(), reason: CloseReason::Evicted });
        open("a1", "alice", true).await.expect("an answer");
        open("m1", "mallory", false).await.expect("an answer");
        open("m2", "mallory", false).await.expect("an answer");
        assert_eq!(events.recv().await, evicted("m1"));
        assert_eq!(sfu.snapshot().await.transports, 2);
        let bob = Guest { owner: "bob".into(), inside: true, note: String::new(), tag: crate::Tag::default() };
        let bad = sfu.open_transport(&bob, "r".into(), "b1".into(), Role::Send, "no SDP".into()).await;
        assert!(matches!(bad, Err(Error::BadSdp(_))));
        sfu.evict_overdue();
        assert_eq!(events.recv().await, evicted("m2"), "it did not come in");
        sfu.close_transport("a1".into());
        assert_eq!(sfu.snapshot().await.transports, 0);
        assert!(sfu.directory.is_empty());
        sfu.stop().await;
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let first = start(Config::new(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("started");
        let again = start(Config::new(first.0.local_addrs()[0]));
        assert!(matches!(again, Err(StartError::Bind(..))));
    }
}

//! The media thread: its sockets, a command queue, an engine and the loop between them.
//! Owns the clock and the sockets; decides nothing. Sleeps until a packet, a command or a deadline comes.
//! Invariant: whatever the engine wants sent leaves before the thread sleeps.
//! Next: `driver/command.rs` for the way of a request, `driver/addresses.rs` for what clients are told, `driver/tcp.rs`.

mod addresses;
mod command;
mod tcp;
mod udp;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use self::command::Command;
use self::tcp::Tcp;
use self::tcp::lobby::Lobby;
use self::udp::{Sent, Udp};
use crate::counters::{Counters, DropReason};
use crate::engine::address::Address;
use crate::engine::egress::Datagrams;
use crate::engine::{Engine, Output};
use crate::limits::{COMMAND_QUEUE, EVENT_QUEUE};
use crate::{Config, Event};

pub use self::addresses::addresses;
pub use self::command::Sfu;
pub use self::tcp::framing::begins_media;

/// Why there is no media thread.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not of this machine.
    #[error("cannot bind UDP {0}: {1}")]
    Bind(SocketAddr, #[source] io::Error),
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

/// How soon to try again when the server does not fetch its events.
const EVENTS_STUCK: Duration = Duration::from_millis(20);

/// Starts the media thread. The receiver must be read: state events wait for it in the thread.
///
/// # Errors
/// If the port cannot be bound, or the machine does not give what is needed.
pub fn start(config: Config) -> Result<(Sfu, mpsc::Receiver<Event>), StartError> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), COMMANDS)?);
    let mut udp = Udp::bind(config.bind).map_err(|e| StartError::Bind(config.bind, e))?;
    poll.registry().register(udp.source(), SOCKET, Interest::READABLE)?;
    let local = udp.local_addr();
    let candidates = addresses(local, &config.announce);
    if candidates.is_empty() {
        return Err(StartError::NoAddress);
    }
    let candidates = candidates.into_iter().map(Address::Udp).chain(config.tcp.into_iter().map(Address::Tcp)).collect::<Vec<_>>();
    tracing::info!(port = local.port(), addresses = candidates.len(), "media thread starts");
    #[expect(clippy::disallowed_methods, reason = "the driver owns the clock")]
    let engine = Engine::new(Instant::now(), SystemTime::now(), candidates, config.limits, config.secret)
        .ok_or(StartError::Certificate)?;
    let (commands, inbox) = mpsc::channel(COMMAND_QUEUE);
    let (events, outbox) = mpsc::channel(EVENT_QUEUE);
    let lobby = Arc::new(Lobby::default());
    let tcp = Tcp::new(poll.registry().try_clone()?, lobby.clone(), CONNECTIONS);
    let shard = Shard { poll, udp, tcp, engine, inbox, events, waiting: VecDeque::new() };
    thread::Builder::new().name("media".into()).spawn(move || shard.run())?;
    Ok((Sfu::new(commands, waker, local, lobby), outbox))
}

/// A thread's belongings.
struct Shard {
    poll: Poll,
    udp: Udp,
    tcp: Tcp,
    engine: Engine,
    inbox: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    /// State events that found the queue full; bounded by what changes state, which are transports.
    waiting: VecDeque<Event>,
}

impl Shard {
    fn run(mut self) {
        let mut events = Events::with_capacity(256);
        // Readiness is told once: with a rest left in the socket or queue the thread must not sleep.
        let mut rest = false;
        loop {
            let sleep = if rest { Duration::ZERO } else { self.sleep() };
            if let Err(error) = self.poll.poll(&mut events, Some(sleep))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "media thread cannot wait for packets");
                return;
            }
            for event in events.iter().filter(|event| event.token() >= CONNECTIONS) {
                self.tcp.hear(event);
            }
            let more_packets = self.read() | self.read_tcp();
            let now = now();
            self.tcp.sweep(now, &mut self.engine);
            if self.engine.next_timeout() <= now {
                self.engine.handle_timeout(now);
            }
            self.flush();
            match self.obey() {
                Obeyed::All => rest = more_packets,
                Obeyed::More => rest = true,
                Obeyed::Stop => return,
            }
            self.deliver();
        }
    }

    fn sleep(&self) -> Duration {
        let next = self.tcp.next_timeout().into_iter().fold(self.engine.next_timeout(), Instant::min);
        let sleep = next.saturating_duration_since(now());
        if self.waiting.is_empty() { sleep } else { sleep.min(EVENTS_STUCK) }
    }

    /// Takes what came in. True if more may be waiting.
    fn read(&mut self) -> bool {
        for _ in 0..READS_PER_ROUND {
            let now = now();
            let engine = &mut self.engine;
            if !self.udp.receive(|from, datagram| engine.handle_datagram(now, Address::Udp(from), datagram)) {
                return false;
            }
            self.flush();
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
                    let _ = done.send(());
                    return Obeyed::Stop;
                }
                Ok(Command::Adopt(newcomer)) => self.tcp.adopt(now(), *newcomer, &mut self.engine),
                Ok(command) => command.apply(&mut self.engine, now()),
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

    /// Sends what the engine wants sent.
    fn flush(&mut self) {
        let (udp, tcp, mut sent) = (&self.udp, &mut self.tcp, SentCounts::default());
        self.engine.flush(now(), &mut |datagrams| sent.send(udp, tcp, datagrams));
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    sent.send(&self.udp, &mut self.tcp, Datagrams { to, bytes: &bytes, each: bytes.len() });
                }
                Output::Event(event) => self.tell(event),
            }
        }
        sent.count(&mut self.engine.counters);
    }

    fn tell(&mut self, event: Event) {
        let harmless = matches!(event, Event::AudioLevel { .. });
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

/// What became of the datagrams of one flush.
#[derive(Default)]
struct SentCounts {
    datagrams: u64,
    bytes: u64,
    full: u64,
    failed: u64,
}

impl SentCounts {
    /// Packets may be lost; waiting would delay everyone else's.
    fn send(&mut self, udp: &Udp, tcp: &mut Tcp, datagrams: Datagrams<'_>) {
        let to = match datagrams.to {
            Address::Udp(to) => to,
            Address::Tcp(to) => return tcp.send(to, datagrams, self),
        };
        let count = datagrams.iter().count() as u64;
        match udp.send(to, datagrams) {
            Sent::Yes => {
                self.datagrams += count;
                self.bytes += datagrams.bytes.len() as u64;
            }
            Sent::BufferFull => self.full += count,
            Sent::Failed => self.failed += count,
        }
    }

    fn count(self, counters: &mut Counters) {
        counters.datagrams_out += self.datagrams;
        counters.bytes_out += self.bytes;
        counters.drop_many(DropReason::SendBufferFull, self.full);
        counters.drop_many(DropReason::SendFailed, self.failed);
    }
}

enum Obeyed {
    All,
    More,
    Stop,
}

#[expect(clippy::disallowed_methods, reason = "the driver owns the clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Role};

    const OFFER: &str = include_str!("sdp/samples/chromium-send.sdp");

    #[tokio::test]
    async fn a_thread_answers_and_stops() {
        let config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (sfu, mut events) = start(config).expect("started");
        let answer = sfu.open_transport("r".into(), "t".into(), Role::Send, OFFER.into()).await.expect("an answer");
        let candidate = format!(" 127.0.0.1 {} typ host", sfu.local_addr().port());
        assert!(answer.contains(&candidate), "{answer}");
        assert_eq!(sfu.snapshot().await.transports, 1);
        sfu.close_transport("t".into());
        let snapshot = sfu.snapshot().await;
        assert_eq!((snapshot.transports, snapshot.rooms), (0, 0), "commands are done in order");
        sfu.stop().await;
        assert_eq!(sfu.accept_answer("t".into(), OFFER.into()).await, Err(Error::Stopped));
        assert_eq!(events.recv().await, None);
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let first = start(Config::new(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("started");
        let again = start(Config::new(first.0.local_addr()));
        assert!(matches!(again, Err(StartError::Bind(..))));
    }
}

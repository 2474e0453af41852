//! Clients whom UDP does not reach: their connections, frames in (RFC 4571), frames out.
//! Owns the connections of a media thread. Writing never waits: what a client does not read fills a short queue, which
//! video leaves first; a client that reads nothing at all is let go.
//! Invariant: a connection lives as long as the engine knows its address as a client's, give or take the time to prove it.
//! Next: `tcp/lobby.rs`, before they get here; `tcp/framing.rs`.

pub(super) mod framing;
pub(super) mod lobby;

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustc_hash::FxHashMap;
use socket2::SockRef;

use self::framing::PREFIX;
use self::lobby::{Lobby, Newcomer, Place};
use super::packed::{HandedTcp, PackedTcp};
use super::sent::SentCounts;
use crate::counters::TcpEnd;
use crate::engine::address::Address;
use crate::engine::egress::outbox::Datagrams;
use crate::engine::{Engine, demux};
use crate::limits::{
    TCP_CHECKS_UNPROVEN, TCP_KERNEL_BYTES, TCP_LONG, TCP_PROVEN_WITHIN, TCP_QUEUE_BYTES, TCP_QUEUE_BYTES_LONG, TCP_STALLED_FOR,
    TCP_SWEEP_EVERY,
};

/// Read from one connection before others get their turn.
const READ_BYTES: usize = 1 << 16;

pub(super) struct Tcp {
    registry: Registry,
    lobby: Arc<Lobby>,
    connections: FxHashMap<Token, Connection>,
    /// By addresses, which strangers choose.
    by_address: HashMap<SocketAddr, Token>,
    next: usize,
    /// Those that may have something to read.
    readable: VecDeque<Token>,
    sweep_at: Option<Instant>,
    /// Empty between calls; kept for their memory.
    incoming: Box<[u8]>,
    outgoing: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    from: SocketAddr,
    /// Until a check was genuine.
    place: Option<Place>,
    /// Frames that came before one was.
    unproven: usize,
    /// Since when no transport's client is known to be there.
    unknown_since: Option<Instant>,
    /// Among those that may have something to read.
    readable: bool,
    /// The beginning of a frame.
    partial: Vec<u8>,
    /// What could not be written yet, from the middle of a frame on.
    queue: VecDeque<u8>,
    /// Since when nothing of the queue could be written.
    stalled_since: Option<Instant>,
}

impl Tcp {
    pub(super) fn new(registry: Registry, lobby: Arc<Lobby>, first: Token) -> Self {
        Self {
            registry,
            lobby,
            connections: FxHashMap::default(),
            by_address: HashMap::new(),
            next: first.0,
            readable: VecDeque::new(),
            sweep_at: None,
            incoming: vec![0; READ_BYTES].into(),
            outgoing: Vec::new(),
        }
    }

    /// Takes a connection over, and has its first check judged. One from the same address is over: ports are not used
    /// twice at a time.
    pub(super) fn adopt(&mut self, now: Instant, newcomer: Newcomer, engine: &mut Engine) {
        let Newcomer { stream, from, check, place } = newcomer;
        if let Some(before) = self.by_address.get(&from).copied() {
            self.close(before, TcpEnd::Left, engine);
        }
        let socket = SockRef::from(&stream);
        // Either only makes packets wait longer, so it is no reason to turn a client away.
        let _ = socket.set_tcp_nodelay(true);
        let _ = keep_short(&socket);
        let mut stream = TcpStream::from_std(stream);
        let token = Token(self.next);
        if self.registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).is_err() {
            self.lobby.ended(TcpEnd::TooMany);
            return;
        }
        self.next += 1;
        self.lobby.connected();
        self.by_address.insert(from, token);
        self.sweep_at.get_or_insert(now + TCP_SWEEP_EVERY);
        let mut connection = Connection {
            stream,
            from,
            place: Some(place),
            unproven: 0,
            unknown_since: Some(now),
            readable: false,
            partial: Vec::new(),
            queue: VecDeque::new(),
            stalled_since: None,
        };
        let judged = connection.take(now, &check, engine);
        self.connections.insert(token, connection);
        if let Err(end) = judged {
            self.close(token, end, engine);
        }
    }

    /// What another process needs to go on with those that have proven whose they are.
    pub(super) fn pack(&self) -> Vec<PackedTcp> {
        let proven = self.connections.values().filter(|connection| connection.place.is_none());
        let pack = |connection: &Connection| PackedTcp {
            stream: connection.stream.as_raw_fd(),
            partial: connection.partial.clone(),
            queue: connection.queue.iter().copied().collect(),
        };
        proven.map(pack).collect()
    }

    /// Goes on with a connection of another process, whose client is known to be there.
    pub(super) fn go_on(&mut self, now: Instant, handed: HandedTcp) -> io::Result<()> {
        let from = handed.from().ok_or(io::ErrorKind::NotConnected)?;
        let HandedTcp { stream, partial, queue } = handed;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let token = Token(self.next);
        self.registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.next += 1;
        self.lobby.connected();
        self.by_address.insert(from, token);
        self.sweep_at.get_or_insert(now + TCP_SWEEP_EVERY);
        let connection = Connection {
            stream,
            from,
            place: None,
            unproven: 0,
            unknown_since: None,
            // What came meanwhile is told of by the poll.
            readable: false,
            partial,
            queue: queue.into(),
            stalled_since: None,
        };
        self.connections.insert(token, connection);
        Ok(())
    }

    /// The poll says that something can be done.
    pub(super) fn hear(&mut self, event: &Event) {
        let token = event.token();
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if event.is_writable() {
            connection.write_queue();
        }
        let readable = event.is_readable() || event.is_read_closed() || event.is_error();
        if readable && !std::mem::replace(&mut connection.readable, true) {
            self.readable.push_back(token);
        }
    }

    /// Reads from the connection that has waited longest. False if none has anything.
    pub(super) fn read(&mut self, now: Instant, engine: &mut Engine) -> bool {
        let Some(token) = self.readable.pop_front() else { return false };
        let Some(connection) = self.connections.get_mut(&token) else { return true };
        match connection.read(now, &mut self.incoming, engine) {
            Ok(true) => self.readable.push_back(token),
            Ok(false) => connection.readable = false,
            Err(end) => self.close(token, end, engine),
        }
        true
    }

    /// Sends datagrams to a client, and counts what became of them.
    pub(super) fn send(&mut self, to: SocketAddr, datagrams: Datagrams<'_>, sent: &mut SentCounts) {
        let connection = self.by_address.get(&to).and_then(|token| self.connections.get_mut(token));
        match connection {
            Some(connection) => connection.send(datagrams, &mut self.outgoing, sent),
            None => sent.failed += datagrams.iter().count() as u64,
        }
    }

    /// When `sweep` wants to be called.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.sweep_at
    }

    /// Ends connections that proved nothing in time, whose transports are gone, or that do not read.
    pub(super) fn sweep(&mut self, now: Instant, engine: &mut Engine) {
        if self.sweep_at.is_none_or(|at| now < at) {
            return;
        }
        let mut ends = Vec::new();
        for (token, connection) in &mut self.connections {
            ends.extend(connection.should_end(now, engine).map(|end| (*token, end)));
        }
        for (token, end) in ends {
            self.close(token, end, engine);
        }
        self.sweep_at = (!self.connections.is_empty()).then(|| now + TCP_SWEEP_EVERY);
    }

    /// Lets everyone go: nobody is known any more.
    pub(super) fn close_all(&mut self, engine: &mut Engine) {
        let all: Vec<Token> = self.connections.keys().copied().collect();
        all.into_iter().for_each(|token| self.close(token, TcpEnd::Over, engine));
    }

    fn close(&mut self, token: Token, end: TcpEnd, engine: &mut Engine) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        let _ = self.registry.deregister(&mut connection.stream);
        if self.by_address.get(&connection.from) == Some(&token) {
            self.by_address.remove(&connection.from);
        }
        self.lobby.disconnected(end);
        engine.disconnected(Address::Tcp(connection.from));
    }
}

impl Connection {
    /// Hands over what is there, up to a buffer. True if there may be more.
    fn read(&mut self, now: Instant, buffer: &mut [u8], engine: &mut Engine) -> Result<bool, TcpEnd> {
        let kept = self.partial.len();
        buffer[..kept].copy_from_slice(&self.partial);
        let read = loop {
            match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err(TcpEnd::Left),
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(TcpEnd::Left),
            }
        };
        let mut rest = &buffer[..kept + read];
        while let Some((frame, after)) = framing::split(rest).map_err(|_| TcpEnd::Malformed)? {
            self.take(now, frame, engine)?;
            rest = after;
        }
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        Ok(true)
    }

    /// One frame. A stranger may send checks and not many; one that proves itself stays.
    fn take(&mut self, now: Instant, frame: &[u8], engine: &mut Engine) -> Result<(), TcpEnd> {
        let from = Address::Tcp(self.from);
        if self.place.is_some() {
            self.unproven += 1;
            if !demux::is_stun(frame) || self.unproven > TCP_CHECKS_UNPROVEN {
                return Err(TcpEnd::Malformed);
            }
        }
        engine.handle_datagram(now, from, frame);
        if self.place.is_some() && engine.knows(from) {
            self.place = None;
            self.unknown_since = None;
        }
        Ok(())
    }

    fn send(&mut self, datagrams: Datagrams<'_>, frames: &mut Vec<u8>, sent: &mut SentCounts) {
        frames.clear();
        for datagram in datagrams.iter() {
            framing::append(frames, datagram);
        }
        // With a queue the socket has no room: it says so when it has.
        let written = if self.queue.is_empty() { self.write(frames) } else { 0 };
        let mut start = 0;
        for datagram in datagrams.iter() {
            let end = start + PREFIX + datagram.len();
            let begun = start < written;
            let most = if datagram.len() > TCP_LONG { TCP_QUEUE_BYTES_LONG } else { TCP_QUEUE_BYTES };
            if end <= written || begun || self.queue.len() + PREFIX + datagram.len() <= most {
                self.queue.extend(frames.get(start.max(written)..end).unwrap_or_default());
                sent.datagrams += 1;
                sent.bytes += datagram.len() as u64;
            } else {
                sent.full += 1;
            }
            start = end;
        }
    }

    /// Writes as much as there is room for; returns how much.
    fn write(&mut self, bytes: &[u8]) -> usize {
        loop {
            match self.stream.write(bytes) {
                Ok(written) => return written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // If it broke, reading says so.
                Err(_) => return 0,
            }
        }
    }

    /// There is room again.
    fn write_queue(&mut self) {
        while !self.queue.is_empty() {
            let queue = std::mem::take(&mut self.queue);
            let written = self.write(queue.as_slices().0);
            self.queue = queue;
            if written == 0 {
                return;
            }
            self.queue.drain(..written);
            self.stalled_since = None;
        }
        // What it took in bad times is given back.
        self.queue = VecDeque::new();
    }

    fn should_end(&mut self, now: Instant, engine: &Engine) -> Option<TcpEnd> {
        let long = |since: Instant, most| now.saturating_duration_since(since) >= most;
        if self.queue.is_empty() {
            self.stalled_since = None;
        } else if long(*self.stalled_since.get_or_insert(now), TCP_STALLED_FOR) {
            return Some(TcpEnd::Stalled);
        }
        if engine.knows(Address::Tcp(self.from)) {
            self.unknown_since = None;
            return None;
        }
        let unknown = long(*self.unknown_since.get_or_insert(now), TCP_PROVEN_WITHIN);
        unknown.then_some(if self.place.is_some() { TcpEnd::Unproven } else { TcpEnd::Over })
    }
}

/// Keeps the kernel's own queue short: what waits there cannot be dropped any more, and makes sound late.
fn keep_short(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_notsent_lowat(TCP_KERNEL_BYTES)
}

#[cfg(test)]
mod tests;

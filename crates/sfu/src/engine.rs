//! The mind of one media thread (sans-IO): datagrams, commands and time in; datagrams and events out.
//! Owns all transports, producers and rooms. Invariants: only touched transports are polled, and after each call
//! every touched one is drained; nothing outlives its transport.
//! Never reads a clock or a socket. Next: `engine/transport.rs`, then `engine/forwarding.rs` for the way of a packet.

pub(crate) mod address;
pub(crate) mod allocation;
pub(crate) mod congestion;
pub(crate) mod consumer;
pub(crate) mod crossing;
pub(crate) mod demux;
pub(crate) mod egress;
pub(crate) mod farewell;
pub(crate) mod identity;
pub(crate) mod intake;
pub(crate) mod kept;
pub(crate) mod key;
pub(crate) mod layers;
pub(crate) mod lines;
pub(crate) mod loudness;
pub(crate) mod moments;
mod ntp;
pub(crate) mod packet;
pub(crate) mod payload;
pub(crate) mod producer;
pub(crate) mod quality;
pub(crate) mod replays;
pub(crate) mod resuming;
pub(crate) mod rewrite;
pub(crate) mod rooms;
pub(crate) mod saved;
pub(crate) mod transport;
pub(crate) mod words;

mod awaiting;
mod forwarding;
mod guard;
mod hold;
mod hungry;
mod leaving;
mod mirrors;
mod one_port;
mod producers;
mod replaying;
mod requests;
mod stun;
mod subscribers;
#[cfg(test)]
mod tests;
mod transports;
mod trap;

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use str0m::net::DatagramSend;

use self::address::{Address, Datagram};
use self::awaiting::Awaiting;
use self::crossing::{Crossing, Crossings};
use self::demux::Demux;
use self::farewell::{Farewell, Mark};
use self::hungry::Hungry;
use self::identity::Identity;
use self::intake::{Rates, Verified};
use self::key::{Key, ProducerKey};
use self::leaving::Leaving;
use self::producers::Producers;
use self::replays::Replays;
use self::rooms::Rooms;
use self::transport::{Happened, Transport};
use self::transports::Transports;
use self::words::Words;
use crate::counters::{Counters, DropReason, Snapshot};
use crate::limits::{DATAGRAM_BYTES, HOUSEKEEPING_EVERY, Limits, REMB_BITS_PER_SECOND};
use crate::{Certificate, CloseReason, Event, ProducerId, Role, Secret, TransportId};

/// Something for the driver to do.
#[derive(Debug)]
pub(crate) enum Output {
    Send {
        to: Address,
        bytes: DatagramSend,
    },
    Event(Event),
    /// The name of a producer or transport of this engine is free again.
    Gone(Gone),
}

#[derive(Clone, Debug)]
pub(crate) enum Gone {
    Transport(TransportId),
    Producer(ProducerId),
}

pub(crate) struct Engine {
    identity: Identity,
    limits: Limits,
    rates: Rates,
    verified: Verified,

    transports: Transports,
    producers: Producers,
    rooms: Rooms,
    demux: Demux,
    pub(crate) crossings: Crossings,
    next_key: u64,

    housekeeping_at: Instant,
    outputs: VecDeque<Output>,
    /// Empty between calls; kept for its memory.
    happened: Vec<Happened>,
    leaving: Leaving,
    replays: Replays,
    hungry: Hungry,
    awaiting: Awaiting,
    /// A subscriber's report is opened in here.
    report: Vec<u8>,

    // For another process.
    words: Words,
    /// Those that changed since they were saved, and those that ended.
    unsaved: HashSet<Key>,
    unsaved_end: Vec<TransportId>,
    pub(crate) counters: Counters,
}

impl Engine {
    /// `wall` is the time of day at `now`; `candidates` are the addresses clients are told, most preferred first. None if the crypto library cannot make
    /// a certificate.
    pub(crate) fn new(
        now: Instant,
        wall: SystemTime,
        candidates: Vec<Address>,
        limits: Limits,
        secret: Option<Secret>,
        certificate: Option<Certificate>,
    ) -> Option<Self> {
        let crypto = Arc::new(salon_srtp::crypto());
        let began = (now, wall.duration_since(UNIX_EPOCH).unwrap_or_default());
        let cert = certificate.map_or_else(Certificate::fresh, Some)?.into();
        let secret = match secret {
            Some(Secret(secret)) => secret,
            None => {
                let mut fresh = [0; 32];
                aws_lc_rs::rand::fill(&mut fresh).ok()?;
                fresh
            }
        };
        let mut seed = [0; 8];
        aws_lc_rs::rand::fill(&mut seed).ok()?;
        let seed = u64::from_be_bytes(seed);
        Some(Self {
            identity: Identity { cert, crypto, candidates, farewell: Farewell::new(&secret), began },
            rates: Rates::new(&limits),
            verified: Verified::new(seed),
            limits,
            transports: Transports::default(),
            producers: Producers::default(),
            rooms: Rooms::default(),
            demux: Demux::default(),
            crossings: Crossings::default(),
            next_key: 1,
            housekeeping_at: now + HOUSEKEEPING_EVERY,
            outputs: VecDeque::new(),
            happened: Vec::new(),
            leaving: Leaving::new(now),
            replays: Replays::default(),
            hungry: Hungry::default(),
            awaiting: Awaiting::default(),
            report: Vec::new(),
            words: Words::default(),
            unsaved: HashSet::new(),
            unsaved_end: Vec::new(),
            counters: Counters::default(),
        })
    }

    /// A datagram came in. Strangers are counted and dropped.
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        self.handle_arrival(now, now, from, datagram);
    }

    /// As `handle_datagram`, of one that `came` before it could be looked at: what publishers are told of their line, and the
    /// clocks of what they send, go by that.
    pub(crate) fn handle_arrival(&mut self, now: Instant, came: Instant, from: Address, datagram: &[u8]) {
        self.counters.datagrams_in += 1;
        self.counters.bytes_in += datagram.len() as u64;
        if datagram.len() > DATAGRAM_BYTES {
            self.counters.dropped(DropReason::Malformed);
            return;
        }
        self.hear(Datagram { now, came, from, to: self.local_address(from), bytes: datagram }, None);
    }

    /// As `handle_arrival`; `via` is the thread that the kernel gave it to, if another.
    fn hear(&mut self, datagram: Datagram<'_>, via: Option<usize>) {
        let recipient = self.guard(datagram.now, None, |engine| engine.recipient(&datagram, via)).flatten();
        let Some(key) = recipient else { return };
        self.hear_from(key, datagram);
        if self.transports.get(key).is_some_and(Transport::has_moved) {
            self.changed(key);
        }
    }

    /// A client sent a datagram.
    fn hear_from(&mut self, key: Key, datagram: Datagram<'_>) {
        let Datagram { now, from, bytes, .. } = datagram;
        if let Some(question) = self.transports.get_mut(key).and_then(|t| t.came(now, from, bytes.len())) {
            self.outputs.push_back(Output::Send { to: from, bytes: question.into() });
        }
        if stun::answers(bytes).is_some() {
            self.guard(now, Some(key), |engine| engine.hear_answer(now, key, from, bytes));
            self.settle(now);
            return;
        }
        let subscribes = self.transports.get(key).is_some_and(|t| t.role() == Role::Receive);
        if subscribes && demux::is_rtp_or_rtcp(bytes) {
            // The keys are ours there, not str0m's.
            if let Some(transport) = self.transports.get_mut(key) {
                transport.heard(now);
            }
            self.guard(now, Some(key), |engine| engine.hear_subscriber(now, key, from, bytes));
            self.settle(now);
            return;
        }
        let understood = self.run(now, key, |transport, _, happened| transport.receive(datagram, happened));
        if understood == Some(false) {
            self.counters.dropped(DropReason::Malformed);
        }
        self.settle(now);
    }

    /// An answer to a check: only we ask, never str0m.
    fn hear_answer(&mut self, now: Instant, key: Key, from: Address, datagram: &[u8]) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        match transport.answered(now, from, datagram) {
            None => self.counters.dropped(DropReason::RefusedStun),
            Some(news) => {
                transport.heard(now);
                if news {
                    self.resume(now, key);
                }
            }
        }
    }

    /// Whether the client of a transport has proven to be there, not long ago.
    pub(crate) fn knows(&self, address: Address) -> bool {
        self.demux.by_address(address).is_some()
    }

    /// A connection ended: nobody is reached there any more.
    pub(crate) fn disconnected(&mut self, address: Address) {
        if let Some(transport) = self.demux.forget(address).and_then(|key| self.transports.get_mut(key)) {
            transport.leave(address);
        }
    }

    /// Time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        // Taken first, as a transport may want to be woken again at once: that is for the next call.
        for key in self.transports.due(now) {
            self.transports.touch(key);
        }
        for key in self.hungry.due(now) {
            self.guard(now, Some(key), |engine| engine.allocate(now, key));
        }
        if now >= self.housekeeping_at {
            self.housekeeping_at = now + HOUSEKEEPING_EVERY;
            self.keep_house(now);
        }
        self.settle(now);
    }

    /// When `handle_timeout` or `flush` wants to be called. May lie in the past: then at once.
    pub(crate) fn next_timeout(&self) -> Instant {
        let parts = [self.transports.wakes_at(), self.leaving.wakes_at(), self.replays.wakes_at(), self.hungry.wakes_at()];
        parts.into_iter().flatten().fold(self.housekeeping_at, Instant::min)
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            rooms: self.rooms.count(),
            transports: self.transports.count(),
            connected_transports: self.transports.iter().filter(|(_, t)| t.is_connected()).count(),
            producers: self.producers.iter().filter(|(_, p)| p.line().is_some()).count(),
            consumers: self.transports.iter().map(|(_, t)| t.subscribing.consumers().len()).sum(),
            ..self.counters.snapshot()
        }
    }

    /// Whose datagram it is. STUN goes by name, as a client may reuse its address for a new transport.
    fn recipient(&mut self, datagram: &Datagram<'_>, via: Option<usize>) -> Option<Key> {
        let Datagram { now, from, to, bytes, .. } = *datagram;
        let named = demux::is_stun(bytes).then(|| demux::addressee(bytes)).flatten();
        let at = now.saturating_duration_since(self.identity.began.0).as_nanos() as u64;
        let Some(name) = named else {
            let Some(key) = self.demux.by_address(from) else {
                if via.is_some() || !self.hand_over(at, None, datagram) {
                    self.counters.dropped(DropReason::Stranger);
                }
                return None;
            };
            let transport = self.transports.get_mut(key)?;
            if let Err(reason) = transport.intake.admit(&self.rates, transport.role(), at, bytes) {
                self.counters.dropped(reason);
                return None;
            }
            return Some(key);
        };
        let Some(key) = self.demux.by_name(name) else {
            if via.is_none() && self.hand_over(at, Some(name), datagram) {
                return None;
            }
            if !self.verified.may(&self.rates, at, from.socket()) {
                self.counters.dropped(DropReason::Unverified);
            } else {
                match self.identity.farewell.refuse(name, bytes) {
                    Some(refusal) => {
                        self.outputs.push_back(Output::Send { to: from, bytes: refusal.into() });
                        if let Some(Mark { role, tag }) = Mark::in_name(name).filter(|_| demux::is_of_libwebrtc(bytes)) {
                            self.outputs.push_back(Output::Event(Event::Refused { tag, role }));
                        }
                    }
                    None => self.counters.dropped(DropReason::Stranger),
                }
            }
            return None;
        };
        let known = self.demux.by_address(from) == Some(key);
        let transport = self.transports.get_mut(key)?;
        if !transport.intake.may_check(&self.rates, at, known) {
            self.counters.dropped(if known { DropReason::OverRate } else { DropReason::Unverified });
            return None;
        }
        if !transport.accepts(now, from, to, bytes) {
            self.counters.dropped(DropReason::RefusedStun);
            return None;
        }
        transport.checked(now, from, demux::nominates(bytes));
        self.learn_address(from, key, via);
        Some(key)
    }

    /// The candidate a datagram from there was probably sent to; the socket does not tell.
    fn local_address(&self, from: Address) -> SocketAddr {
        let (protocol, from) = (from.protocol(), from.socket());
        let candidates = || self.identity.candidates.iter().filter(|c| c.protocol() == protocol).map(|c| c.socket());
        let family = || candidates().filter(|c| c.is_ipv4() == from.is_ipv4());
        let same = family().find(|c| c.ip().is_loopback() == from.ip().is_loopback());
        same.or_else(|| family().next()).or_else(|| candidates().next()).unwrap_or(from)
    }

    /// Lets a transport do something and carries on what came of it. A panic ends that transport only: None.
    fn run<R>(
        &mut self,
        now: Instant,
        key: Key,
        f: impl FnOnce(&mut Transport, &Identity, &mut Vec<Happened>) -> R,
    ) -> Option<R> {
        let mut happened = std::mem::take(&mut self.happened);
        let done = self.transports.run(key, |transport| f(transport, &self.identity, &mut happened));
        let Ok(result) = done? else {
            self.counters.panics += 1;
            self.end_transport(now, key, Some(CloseReason::Panicked));
            return None;
        };
        let mut closed = None;
        for happened in happened.drain(..) {
            match happened {
                Happened::Send(to, bytes) => self.outputs.push_back(Output::Send { to, bytes }),
                Happened::Connected => {
                    let begun = self.guard(now, Some(key), |engine| {
                        let usable = engine.transports.get_mut(key).is_some_and(|t| t.begin_egress(now));
                        if usable {
                            engine.changed(key);
                            engine.connected(now, key);
                        }
                        usable
                    });
                    if begun == Some(false) {
                        closed = Some(CloseReason::DtlsFailed);
                    }
                }
                Happened::Packet(packet, mid, rid) => {
                    self.guard(now, Some(key), |engine| {
                        engine.note_packet(key, *packet.header.ssrc, *packet.seq_no, mid, rid);
                        engine.take(now, key, &packet, mid, rid);
                    });
                }
                Happened::NacksOut(new) => self.counters.nacks_out += new,
                Happened::Closed(reason) => closed = closed.or(Some(reason)),
            }
        }
        self.happened = happened;
        if closed.is_some() {
            self.end_transport(now, key, closed);
        }
        Some(result)
    }

    fn connected(&mut self, now: Instant, key: Key) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.came_up();
        let event = Event::TransportConnected { transport: transport.id().clone() };
        let mids: Vec<_> = transport.subscribing.consumers().map(|(mid, _)| mid).collect();
        self.outputs.push_back(Output::Event(event));
        for mid in mids {
            self.choose_layer(now, key, mid);
        }
    }

    /// Drains what was touched. Draining one can touch others: a key frame request goes to the publisher.
    fn settle(&mut self, now: Instant) {
        while let Some(key) = self.transports.next_touched() {
            self.run(now, key, |transport, _, happened| transport.catch_up(now, happened));
        }
    }

    /// Ends what is dead and grants bitrates, for all transports; runs seldom.
    fn keep_house(&mut self, now: Instant) {
        let dead: Vec<_> = self.transports.iter().filter_map(|(key, t)| Some((key, t.is_over(now)?))).collect();
        for (key, reason) in dead {
            self.end_transport(now, key, Some(reason));
        }
        self.hold_back(now);
        self.note_changes();
        let mut granted = Vec::new();
        for (_, producer) in self.producers.iter() {
            let Some((key, mid)) = producer.line() else { continue };
            if self.transports.get(key).is_some_and(|t| t.publishing.held_to().is_none()) {
                granted.push((key, mid, producer.rids()));
            }
        }
        self.tidy_crossings(now);
        self.awaiting.tidy(now);
        for (key, mid, rids) in granted {
            let grant = |transport: &mut Transport| {
                // All of them, so no `any`.
                rids.into_iter().filter(|rid| transport.grant_bitrate(mid, *rid, REMB_BITS_PER_SECOND)).count() > 0
            };
            if self.run(now, key, |transport, _, _| grant(transport)) == Some(true) {
                self.transports.touch(key);
            }
        }
    }

    /// Takes a transport and all that came and went through it out of the engine. With a reason the server is told;
    /// without one it asked for this itself.
    fn end_transport(&mut self, now: Instant, key: Key, reason: Option<CloseReason>) {
        let Some(mut transport) = self.transports.remove(key) else { return };
        if self.words.last() {
            self.unsaved.remove(&key);
            self.unsaved_end.push(transport.id().clone());
            self.words.leave(transport.take_words());
        }
        let addresses = self.demux.remove(key, transport.name());
        self.forget_addresses(&addresses);
        self.hungry.forget(key);
        self.awaiting.end_all(key);
        self.rooms.leave(transport.room(), key);
        for producer in transport.publishing.producers() {
            self.end_producer(now, producer);
        }
        for (mid, consumer) in transport.subscribing.consumers() {
            if let Some(producer) = self.producers.get_mut(consumer.producer) {
                producer.consumers.retain(|c| *c != (key, mid));
            }
        }
        let mut goodbye = Vec::new();
        if reason != Some(CloseReason::Panicked) {
            let closed = catch_unwind(AssertUnwindSafe(|| transport.close(now, &mut goodbye)));
            self.counters.panics += u64::from(closed.is_err());
        }
        for happened in goodbye {
            if let Happened::Send(to, bytes) = happened {
                self.outputs.push_back(Output::Send { to, bytes });
            }
        }
        self.outputs.push_back(Output::Gone(Gone::Transport(transport.id().clone())));
        if let Some(reason) = reason {
            let event = Event::TransportClosed { transport: transport.id().clone(), reason };
            self.outputs.push_back(Output::Event(event));
        }
    }

    /// Ends a producer. Its consumers' lines stay until their clients stop them, but carry nothing any more.
    fn end_producer(&mut self, now: Instant, key: ProducerKey) {
        let Some(mut producer) = self.producers.remove(key) else { return };
        if let Some(heard) = producer.loudness.hush(now) {
            let event = Event::AudioLevel { producer: producer.id.clone(), level_dbov: heard.level_dbov, speaking: false };
            self.outputs.push_back(Output::Event(event));
        }
        if let Some((from, mid)) = producer.line() {
            self.outputs.push_back(Output::Gone(Gone::Producer(producer.id.clone())));
            if let Some(transport) = self.transports.get_mut(from) {
                transport.publishing.end(mid);
            }
            self.changed(from);
        }
        for mirror in &producer.mirrors {
            self.cross(mirror.on, Crossing::Ended { key });
        }
        for (to, mid) in producer.consumers {
            if let Some(transport) = self.transports.get_mut(to) {
                transport.subscribing.remove(mid);
            }
        }
    }

    /// Takes one track off a subscriber.
    fn end_consumer(&mut self, of: Key, mid: str0m::media::Mid) {
        self.awaiting.end_line(of, &mid);
        let Some(transport) = self.transports.get_mut(of) else { return };
        let Some(consumer) = transport.subscribing.remove(mid) else { return };
        self.changed(of);
        if let Some(producer) = self.producers.get_mut(consumer.producer) {
            producer.consumers.retain(|c| *c != (of, mid));
        }
    }

    fn next_key(&mut self) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        key
    }
}

#[cfg(any(test, feature = "inside"))]
impl Engine {
    /// A report of this subscriber as it is after it was opened: nobody but its client can seal one.
    pub(crate) fn report_of(&mut self, now: Instant, transport: &str, report: &[u8]) {
        let Some(key) = self.transports.key_of(&TransportId::from(transport)) else { return };
        self.hear_report(now, key, report);
        self.settle(now);
    }
}

#[cfg(test)]
impl Engine {
    /// Whether nothing is left of anything.
    fn is_empty(&self) -> bool {
        self.transports.is_empty()
            && self.producers.is_empty()
            && self.demux.len() == 0
            && self.crossings.elsewhere() == 0
            && self.rooms.count() == 0
    }

    fn panic_in(&mut self, now: Instant, transport: &str) {
        let key = self.transports.key_of(&TransportId::from(transport)).expect("a transport");
        self.run(now, key, |_, _, _| panic!("a bug"));
    }
}

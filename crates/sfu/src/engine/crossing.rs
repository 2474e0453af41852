//! What goes from one media thread to another: a mirror of a producer that is consumed there, its packets, and wishes
//! the other way. With one port for all threads also datagrams that the kernel gave to the wrong one.
//! Owns what waits to cross. Invariants: news of producers arrive in order and are never lost; packets may be dropped.
//! A mirror is an ordinary producer with another origin, so consumers do not know the difference.
//! Next: `driver/neighbours.rs` carries this over.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use str0m::media::Rid;

use super::address::Address;
use super::consumer::Packet;
use super::producer::{Mirror, Origin, Producer, ProducerKey};
use super::{Engine, demux};
use crate::counters::DropReason;
use crate::limits::{ADDRESSES_PER_TRANSPORT, CROSSING_BACKLOG, MIRROR_IDLE_FOR, SILENT_FOR};
use crate::sdp::Format;
use crate::{ProducerId, RoomId};

/// One thing that crosses.
#[derive(Debug)]
pub(crate) enum Crossing {
    /// Packets of this producer follow.
    Begin(Box<Begin>),
    /// A packet of a producer, and the name of its layer. Threads number layers each for themselves.
    Packet { key: ProducerKey, rid: Option<Rid>, packet: Packet },
    /// The server held a producer back, or let it go on.
    Paused { key: ProducerKey, paused: bool },
    /// A producer is no more.
    Ended { key: ProducerKey },

    // From the thread with the mirror back home.
    /// Someone there waits for a key frame of this layer.
    KeyFrameWanted { key: ProducerKey, rid: Option<Rid> },
    /// Nobody there consumes it any more. Says nothing about a mirror that began later.
    Unwatch { key: ProducerKey, serial: u64 },

    // With one port for all threads.
    /// A datagram for a transport there.
    Datagram { from: SocketAddr, bytes: Box<[u8]> },
    /// Datagrams from this address are for the thread that says so: its client proved it.
    Learned { address: SocketAddr },
    /// They are not any more.
    Forgotten { address: SocketAddr },
}

/// What a mirror needs to know.
#[derive(Debug)]
pub(crate) struct Begin {
    pub key: ProducerKey,
    pub serial: u64,
    pub id: ProducerId,
    pub room: RoomId,
    pub format: Format,
    pub stream: String,
    pub screen_share: bool,
    pub paused: bool,
    /// The names of its layers that are alive. With them a key frame can be asked for before a packet has crossed, which
    /// takes a second for a screen that stands still.
    pub layers: Vec<Option<Rid>>,
}

impl Crossing {
    /// What is lost like any packet, and asked for or sent again.
    fn may_be_lost(&self) -> bool {
        !matches!(self, Self::Begin(_) | Self::Paused { .. } | Self::Ended { .. } | Self::Unwatch { .. })
    }

    /// Whether nothing is lost if `self` arrives and `earlier` does not.
    fn overtakes(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Ended { key }, Self::Begin(begin)) => begin.key == *key,
            (Self::Ended { key }, Self::Paused { key: of, .. }) => of == key,
            (Self::Begin(again), Self::Begin(begin)) => begin.key == again.key,
            (Self::Begin(again), Self::Paused { key, .. }) => *key == again.key,
            (Self::Paused { key, .. }, Self::Paused { key: of, .. }) => of == key,
            (Self::Unwatch { key, .. }, Self::Unwatch { key: of, .. }) => of == key,
            _ => false,
        }
    }
}

/// This thread among the others.
#[derive(Debug, Default)]
pub(crate) struct Crossings {
    me: usize,
    /// What waits, for each thread.
    waiting: Vec<Vec<Crossing>>,
    serial: u64,
    one_port: bool,
    /// With one port: who has the client at an address that is not ours, and when it was proven or heard.
    elsewhere: HashMap<SocketAddr, (usize, Instant)>,
}

impl Crossings {
    pub(super) fn new(me: usize, of: usize, one_port: bool) -> Self {
        Self { me, waiting: (0..of).map(|_| Vec::new()).collect(), one_port, ..Self::default() }
    }

    /// What waits to cross to another thread; empty for ourselves.
    pub(crate) fn waiting(&mut self) -> impl Iterator<Item = (usize, &mut Vec<Crossing>)> {
        self.waiting.iter_mut().enumerate().filter(|(_, waiting)| !waiting.is_empty())
    }

    /// False if it was dropped, as too much waits.
    pub(super) fn push(&mut self, to: usize, crossing: Crossing) -> bool {
        let Some(waiting) = self.waiting.get_mut(to).filter(|_| to != self.me) else { return true };
        if waiting.len() >= CROSSING_BACKLOG {
            if crossing.may_be_lost() {
                return false;
            }
            // The other thread is stuck. Three pieces of news are enough for each producer it knows.
            waiting.retain(|earlier| !crossing.overtakes(earlier));
        }
        waiting.push(crossing);
        true
    }
}

impl Engine {
    /// This thread is number `me` of several; `one_port` if all of them receive what comes to one port.
    pub(crate) fn among(mut self, me: usize, of: usize, one_port: bool) -> Self {
        self.crossings = Crossings::new(me, of, one_port);
        self.identity.farewell.give_out_for(me);
        // Keys cross with what they name, so no two threads may make the same.
        self.next_key |= (me as u64) << 48;
        self
    }

    pub(super) fn cross(&mut self, to: usize, crossing: Crossing) {
        if !self.crossings.push(to, crossing) {
            self.counters.dropped(DropReason::CrossingFull);
        }
    }

    /// Lets another thread have what comes in of a producer. Whoever is not there, or not in the room, is not shared:
    /// the other thread then does not find it either.
    pub(crate) fn share(&mut self, producer: &ProducerId, room: &RoomId, with: usize) {
        let Some(key) = self.producer_keys.get(producer).copied() else { return };
        let Some(producer) = self.producers.get_mut(&key) else { return };
        if producer.room != *room || !matches!(producer.origin, Origin::Client { .. }) {
            return;
        }
        self.crossings.serial += 1;
        let serial = self.crossings.serial;
        // The other thread may be giving its mirror up just now, so it is told again each time.
        producer.mirrors.retain(|m| m.on != with);
        producer.mirrors.push(Mirror { on: with, serial });
        let begin = Begin {
            key,
            serial,
            id: producer.id.clone(),
            room: producer.room.clone(),
            format: producer.format,
            stream: producer.stream.clone(),
            screen_share: producer.screen_share,
            paused: producer.paused,
            layers: producer.candidates().iter().filter(|l| l.alive).map(|l| l.rid).collect(),
        };
        self.cross(with, Crossing::Begin(Box::new(begin)));
        // What people want there is not known here.
        self.lift(key);
    }

    /// Something came over from another thread.
    pub(crate) fn handle_crossing(&mut self, now: Instant, from: usize, crossing: Crossing) {
        self.guard(now, None, |engine| engine.take_crossing(now, from, crossing));
    }

    fn take_crossing(&mut self, now: Instant, from: usize, crossing: Crossing) {
        match crossing {
            Crossing::Begin(begin) => self.begin_mirror(now, from, *begin),
            Crossing::Packet { key, rid, mut packet } => {
                // Its news may come after some of its packets: those are for nobody.
                let Some(seen) = self.producers.get_mut(&key).and_then(|p| p.see(&mut packet, rid)) else { return };
                self.arrive(now, key, rid, packet, seen.changed);
            }
            Crossing::Paused { key, paused } => self.set_paused(now, key, paused),
            Crossing::Ended { key } => self.end_producer(now, key),
            Crossing::KeyFrameWanted { key, rid } => {
                if let Some(layer) = self.producers.get(&key).and_then(|p| p.stream_of(rid)) {
                    self.ask_key_frame(now, key, layer);
                }
            }
            Crossing::Unwatch { key, serial } => {
                if let Some(producer) = self.producers.get_mut(&key) {
                    producer.mirrors.retain(|m| m.on != from || m.serial != serial);
                }
            }
            Crossing::Datagram { from: client, bytes } => {
                self.hear(now, Address::Udp(client), &bytes, Some(from));
                return;
            }
            Crossing::Learned { address } => self.learn_elsewhere(now, address, from),
            Crossing::Forgotten { address } => {
                let elsewhere = &mut self.crossings.elsewhere;
                if elsewhere.get(&address).is_some_and(|(owner, _)| *owner == from) {
                    elsewhere.remove(&address);
                }
            }
        }
        self.settle(now);
    }

    fn begin_mirror(&mut self, now: Instant, home: usize, begin: Begin) {
        let origin = Origin::Thread { home, serial: begin.serial, since: now };
        if let Some(mirror) = self.producers.get_mut(&begin.key) {
            mirror.origin = origin;
            self.set_paused(now, begin.key, begin.paused);
            return;
        }
        if !self.free_name(now, &begin.id) {
            return;
        }
        let mut mirror = Producer::new(begin.id.clone(), begin.room, begin.format, origin, begin.paused);
        mirror.stream = begin.stream;
        mirror.screen_share = begin.screen_share;
        mirror.expect(now, &begin.layers);
        self.producer_keys.insert(begin.id, begin.key);
        self.producers.insert(begin.key, mirror);
    }

    /// Whether a producer may have this name. A mirror that has it is of one that ended: the news is on its way.
    pub(super) fn free_name(&mut self, now: Instant, id: &ProducerId) -> bool {
        let Some(key) = self.producer_keys.get(id).copied() else { return true };
        if self.producers.get(&key).is_some_and(|p| p.line().is_some()) {
            return false;
        }
        self.end_producer(now, key);
        true
    }

    /// Gives up mirrors that nobody consumes, and addresses from which nothing came for long.
    pub(super) fn tidy_crossings(&mut self, now: Instant) {
        let mut idle = Vec::new();
        for (key, producer) in &self.producers {
            if let Origin::Thread { home, serial, since } = producer.origin
                && producer.consumers.is_empty()
                && now.saturating_duration_since(since) > MIRROR_IDLE_FOR
            {
                idle.push((*key, home, serial));
            }
        }
        for (key, home, serial) in idle {
            self.end_producer(now, key);
            self.cross(home, Crossing::Unwatch { key, serial });
        }
        self.crossings.elsewhere.retain(|_, (_, heard_at)| now.saturating_duration_since(*heard_at) <= SILENT_FOR);
    }

    // ---- one port for all threads ----

    /// A datagram that is for none of our transports. True if it is on its way to another thread.
    ///
    /// A check from an address that nobody has proven crosses only if its password is right, so that strangers cannot fill
    /// the way; where its address belongs is decided by the thread that has the transport. `at` is for the rates.
    pub(super) fn hand_over(&mut self, now: Instant, at: u64, from: Address, name: Option<&str>, datagram: &[u8]) -> bool {
        // A connection over TCP began at the right thread.
        let Address::Udp(from) = from else { return false };
        if !self.crossings.one_port {
            return false;
        }
        let to = match name {
            Some(name) => demux::thread_of(name).filter(|to| {
                let another = *to != self.crossings.me && *to < self.crossings.waiting.len();
                let proven = self.crossings.elsewhere.get(&from).is_some_and(|(owner, _)| owner == to);
                another
                    && (proven || self.verified.may(&self.rates, at, from) && self.identity.farewell.is_genuine(name, datagram))
            }),
            None => self.crossings.elsewhere.get_mut(&from).map(|(to, heard_at)| {
                *heard_at = now;
                *to
            }),
        };
        let Some(to) = to else { return false };
        self.cross(to, Crossing::Datagram { from, bytes: datagram.into() });
        true
    }

    /// A transport's client proved that it is at an address.
    pub(super) fn learn_address(&mut self, from: Address, key: super::Key, via: Option<usize>) {
        let oldest = self.demux.learn(from, key);
        self.forget_addresses(oldest.as_slice());
        let Address::Udp(from) = from else { return };
        self.crossings.elsewhere.remove(&from);
        if let Some(via) = via {
            self.cross(via, Crossing::Learned { address: from });
        }
    }

    /// These addresses are no client's of ours any more. Any thread may have handed over what came from there.
    pub(super) fn forget_addresses(&mut self, addresses: &[Address]) {
        let threads = if self.crossings.one_port { self.crossings.waiting.len() } else { 0 };
        for address in addresses {
            let Address::Udp(address) = *address else { continue };
            (0..threads).for_each(|thread| self.cross(thread, Crossing::Forgotten { address }));
        }
    }

    fn learn_elsewhere(&mut self, now: Instant, address: SocketAddr, owner: usize) {
        let elsewhere = &mut self.crossings.elsewhere;
        let most = self.limits.transports.saturating_mul(ADDRESSES_PER_TRANSPORT);
        if elsewhere.len() >= most && !elsewhere.contains_key(&address) {
            self.counters.dropped(DropReason::CrossingFull);
            return;
        }
        elsewhere.insert(address, (owner, now));
        self.demux.unlearn(Address::Udp(address));
    }

    /// How many addresses are known to belong to other threads.
    #[cfg(test)]
    pub(super) fn addresses_elsewhere(&self) -> usize {
        self.crossings.elsewhere.len()
    }

    #[cfg(test)]
    pub(super) fn mirrors(&self) -> usize {
        self.producers.values().filter(|p| p.line().is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_thread_costs_packets_but_no_news() {
        let mut crossings = Crossings::new(0, 2, false);
        let lossy = |n| Crossing::KeyFrameWanted { key: ProducerKey(n), rid: None };
        for n in 0..CROSSING_BACKLOG as u64 {
            assert!(crossings.push(1, lossy(n)));
        }
        assert!(!crossings.push(1, lossy(1)), "dropped");
        let key = ProducerKey(7);
        for n in 0..1_000 {
            assert!(crossings.push(1, Crossing::Paused { key, paused: n % 2 == 0 }));
        }
        let (to, waiting) = crossings.waiting().next().expect("something waits");
        assert_eq!((to, waiting.len()), (1, CROSSING_BACKLOG + 1), "what is overtaken is forgotten");
        assert!(matches!(waiting.last(), Some(Crossing::Paused { paused: false, .. })), "the last word counts");
        assert!(crossings.push(1, Crossing::Ended { key }));
        let (_, waiting) = crossings.waiting().next().expect("something waits");
        assert_eq!(waiting.len(), CROSSING_BACKLOG + 1);
        assert!(matches!(waiting.last(), Some(Crossing::Ended { .. })));
    }
}

//! Producers that are consumed on another thread than their client's: what the engine does with what crosses.
//! Invariant: a mirror lives as long as its producer, or until nobody has consumed it for a while.
//! Next: `crossing.rs` has what crosses, `one_port.rs` what is left of it.

use std::time::Instant;

use str0m::media::Rid;

use super::Engine;
use super::address::{Address, Datagram};
use super::crossing::{Begin, Crossing, Crossings};
use super::producer::{Mirror, Origin, Producer};
use crate::counters::DropReason;
use crate::limits::MIRROR_IDLE_FOR;
use crate::{ProducerId, RoomId};

impl Engine {
    /// This thread is number `me` of several; `one_port` if all of them receive what comes to one port.
    pub(crate) fn among(mut self, me: usize, of: usize, one_port: bool) -> Self {
        self.crossings = Crossings::new(me, of, one_port);
        self.identity.farewell.give_out_for(me);
        // Keys cross with what they name, so no two threads may make the same.
        self.next_key |= (me as u64) << 48;
        self
    }

    /// The last of the threads is for other nodes.
    pub(crate) fn with_relay(mut self) -> Self {
        self.crossings.with_relay();
        self
    }

    /// Goes on in the place of an engine that a bug broke: with its counters, and with keys that it never gave out.
    pub(crate) fn succeed(mut self, before: &mut Self) -> Self {
        self.next_key = before.next_key;
        self.counters = std::mem::take(&mut before.counters);
        self.counters.panics += 1;
        self.crossings.succeed(&before.crossings);
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
        let Some(key) = self.producers.key_of(producer) else { return };
        let Some(producer) = self.producers.get_mut(key) else { return };
        if producer.room != *room || !matches!(producer.origin, Origin::Client { .. }) {
            return;
        }
        let serial = self.crossings.next_serial();
        let known = producer.mirrors.len();
        // The other thread may be giving its mirror up just now, so it is told again each time.
        producer.mirrors.retain(|m| m.on != with);
        let is_new = producer.mirrors.len() == known;
        producer.mirrors.push(Mirror { on: with, serial });
        if is_new {
            // A key frame that was asked for before does not get there.
            producer.may_be_asked();
        }
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
        // What it has already must not come twice.
        let past = producer.past().filter(|_| is_new).map(|(rid, packet)| Crossing::Packet { key, rid, packet: packet.clone() });
        let past: Vec<Crossing> = past.collect();
        self.cross(with, Crossing::Begin(Box::new(begin)));
        past.into_iter().for_each(|packet| self.cross(with, packet));
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
                let Some(seen) = self.producers.get_mut(key).and_then(|p| p.see(&mut packet, rid)) else { return };
                self.arrive(now, key, rid, packet, seen.changed);
            }
            Crossing::Paused { key, paused } => self.set_paused(now, key, paused),
            Crossing::Anew { key } => self.begin_anew(key),
            Crossing::Ended { key } => self.end_producer(now, key),
            Crossing::Restarted => self.forget_thread(now, from),
            Crossing::KeyFrameWanted { key, rid } => {
                if let Some(layer) = self.producers.get(key).and_then(|p| p.stream_of(rid)) {
                    self.ask_key_frame(now, key, layer);
                }
            }
            Crossing::Unwatch { key, serial } => {
                if let Some(producer) = self.producers.get_mut(key) {
                    producer.mirrors.retain(|m| m.on != from || m.serial != serial);
                }
            }
            Crossing::Share { id, room } => self.share(&id, &room, from),
            Crossing::Alive { key, layers } => {
                if self.producers.get_mut(key).is_some_and(|producer| producer.are_alive(now, &layers)) {
                    self.choose_layers(now, key);
                }
            }
            // Media threads tell each other everything of a producer.
            Crossing::Wants { .. } => {}
            Crossing::Datagram { from: client, came, bytes } => {
                let client = Address::Udp(client);
                self.hear(Datagram { now, came, from: client, to: self.local_address(client), bytes: &bytes }, Some(from));
                return;
            }
            Crossing::Learned { address } => self.learn_elsewhere(now, address, from),
            Crossing::Forgotten { address } => {
                if self.crossings.owner_of(address) == Some(from) {
                    self.crossings.forget(address);
                }
            }
        }
        self.settle(now);
    }

    /// Another thread lost everything.
    fn forget_thread(&mut self, now: Instant, thread: usize) {
        let of_it = |origin: Origin| matches!(origin, Origin::Thread { home, .. } if home == thread);
        let mirrors: Vec<_> = self.producers.iter().filter(|(_, p)| of_it(p.origin)).map(|(key, _)| key).collect();
        for key in mirrors {
            self.end_producer(now, key);
        }
        self.producers.iter_mut().for_each(|producer| producer.mirrors.retain(|mirror| mirror.on != thread));
        self.crossings.forget_all_of(thread);
    }

    fn begin_mirror(&mut self, now: Instant, home: usize, begin: Begin) {
        let origin = Origin::Thread { home, serial: begin.serial, since: now };
        if let Some(mirror) = self.producers.get_mut(begin.key) {
            mirror.origin = origin;
            self.set_paused(now, begin.key, begin.paused);
            return;
        }
        if !self.free_name(now, &begin.id) {
            return;
        }
        let mut mirror = Producer::new(begin.id, begin.room, begin.format, origin, begin.paused);
        mirror.stream = begin.stream;
        mirror.screen_share = begin.screen_share;
        mirror.expect(now, &begin.layers);
        let id = mirror.id.clone();
        self.producers.add(begin.key, mirror);
        self.take_up_awaited(now, &id);
    }

    /// Whether a producer may have this name. A mirror that has it is of one that ended: the news is on its way.
    pub(super) fn free_name(&mut self, now: Instant, id: &ProducerId) -> bool {
        let Some(key) = self.producers.key_of(id) else { return true };
        if self.producers.get(key).is_some_and(|p| p.line().is_some()) {
            return false;
        }
        self.end_producer(now, key);
        true
    }

    /// The streams of a producer that its consumers get or wait for.
    fn wanted(&self, producer: &Producer) -> Vec<Option<Rid>> {
        let mut wanted = Vec::new();
        for (to, mid) in &producer.consumers {
            let Some(consumer) = self.transports.get(*to).and_then(|t| t.subscribing.consumer(*mid)) else { continue };
            let layers = [consumer.current_layer(), consumer.awaited_layer()];
            wanted.extend(layers.into_iter().flatten().filter_map(|layer| producer.rid_of(layer)));
        }
        wanted.sort_unstable_by_key(|rid| rid.map(|rid| rid.to_string()));
        wanted.dedup();
        wanted
    }

    /// Gives up mirrors that nobody consumes, and addresses from which nothing came for long.
    pub(super) fn tidy_crossings(&mut self, now: Instant) {
        let mut idle = Vec::new();
        for (key, producer) in self.producers.iter() {
            if let Origin::Thread { home, serial, since } = producer.origin
                && producer.consumers.is_empty()
                && now.saturating_duration_since(since) > MIRROR_IDLE_FOR
            {
                idle.push((key, home, serial));
            }
        }
        let of_nodes = self.producers.iter().filter_map(|(key, producer)| match producer.origin {
            Origin::Thread { home, .. } if self.crossings.is_relay(home) => {
                Some((home, Crossing::Wants { key, layers: self.wanted(producer) }))
            }
            _ => None,
        });
        let wants: Vec<_> = of_nodes.collect();
        wants.into_iter().for_each(|(home, wants)| self.cross(home, wants));
        for (key, home, serial) in idle {
            self.end_producer(now, key);
            self.cross(home, Crossing::Unwatch { key, serial });
        }
        self.crossings.forget_silent(now);
    }

    #[cfg(test)]
    pub(super) fn mirrors(&self) -> usize {
        self.producers.iter().filter(|(_, p)| p.line().is_none()).count()
    }
}

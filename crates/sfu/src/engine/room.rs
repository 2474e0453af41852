//! Which producers feed which consumers: membership of rooms, and the walk of each packet to its subscribers.
//! `Engine::forward` is the hot path: it looks at a packet once and branches little per consumer.
//! Invariant: a packet goes only to consumers of its own producer, and those are of the same room.
//! Next: `consumer.rs` decides per subscriber.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::media::{Mid, Rid};
use str0m::rtp::RtpPacket;

use super::consumer::{Packet, Verdict};
use super::producer::ProducerKey;
use super::{Engine, Key, Output};
use crate::counters::DropReason;
use crate::{CloseReason, Event, RoomId};

/// Who is in which room.
#[derive(Debug, Default)]
pub(crate) struct Rooms(HashMap<RoomId, HashSet<Key>>);

impl Rooms {
    pub(crate) fn enter(&mut self, room: &RoomId, transport: Key) {
        self.0.entry(room.clone()).or_default().insert(transport);
    }

    /// An empty room ceases to be.
    pub(crate) fn leave(&mut self, room: &RoomId, transport: Key) {
        if let Some(members) = self.0.get_mut(room) {
            members.remove(&transport);
            if members.is_empty() {
                self.0.remove(room);
            }
        }
    }

    pub(crate) fn members(&self, room: &RoomId) -> Vec<Key> {
        self.0.get(room).into_iter().flatten().copied().collect()
    }

    pub(crate) fn size(&self, room: &RoomId) -> usize {
        self.0.get(room).map_or(0, HashSet::len)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl Engine {
    /// Takes a packet that came in on `from` to everyone who consumes it.
    pub(super) fn forward(&mut self, now: Instant, from: Key, rtp: &RtpPacket, mid: Mid, rid: Option<Rid>) {
        self.counters.packets_in += 1;
        let key = self.transports.get(&from).and_then(|t| t.incoming.get(&mid)).copied();
        let Some((key, producer)) = key.and_then(|key| Some((key, self.producers.get_mut(&key)?))) else {
            self.counters.dropped(DropReason::NoProducer);
            return;
        };
        let Some(seen) = producer.see(now, rtp, rid) else {
            self.counters.dropped(DropReason::Malformed);
            return;
        };
        if producer.paused {
            self.counters.dropped(DropReason::Paused);
            return;
        }
        if let Some(level) = rtp.header.ext_vals.audio_level
            && let Some(heard) = producer.loudness.hear(now, level, rtp.payload.len())
        {
            let event =
                Event::AudioLevel { producer: producer.id.clone(), level_dbov: heard.level_dbov, speaking: heard.speaking };
            self.outputs.push_back(Output::Event(event));
        }
        if seen.changed {
            self.choose_layers(now, key);
        }
        let Some(producer) = self.producers.get_mut(&key) else { return };
        let packet = Packet::new(rtp, producer.kind, seen.layer, seen.report);
        let mut ask = producer.is_key_frame_due(now, seen.layer, packet.starts_key_frame);
        let consumers = std::mem::take(&mut producer.consumers);
        let mut broken = Vec::new();
        for (to, mid) in &consumers {
            match catch_unwind(AssertUnwindSafe(|| self.forward_to(now, *to, *mid, &packet))) {
                Ok(needs_key_frame) => ask |= needs_key_frame,
                Err(_) => broken.push(*to),
            }
        }
        if let Some(producer) = self.producers.get_mut(&key) {
            producer.consumers = consumers;
        }
        for key in broken {
            self.counters.panics += 1;
            self.end_transport(now, key, Some(CloseReason::Panicked));
        }
        if ask {
            self.ask_key_frame(now, key, seen.layer);
        }
    }

    /// One packet to one consumer. True if that consumer waits for a key frame of this layer.
    fn forward_to(&mut self, now: Instant, to: Key, mid: Mid, packet: &Packet<'_>) -> bool {
        let Some(transport) = self.transports.get_mut(&to).filter(|t| t.connected) else { return false };
        let Some(consumer) = transport.consumers.get_mut(&mid).filter(|c| c.negotiated) else { return false };
        match consumer.forward(now, packet) {
            Verdict::Drop => false,
            Verdict::NeedsKeyFrame => true,
            Verdict::Send { write, switched } => {
                let ssrc = consumer.ssrc;
                if transport.write(ssrc, write) {
                    self.counters.packets_out += 1;
                    self.counters.layer_switches += u64::from(switched);
                    if !std::mem::replace(&mut transport.touched, true) {
                        self.touched.push(to);
                    }
                }
                false
            }
        }
    }

    /// Lets all consumers of a producer choose their layer anew.
    pub(super) fn choose_layers(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get(&key) else { return };
        let layers = producer.candidates();
        let mut needed = HashSet::new();
        for (to, mid) in &producer.consumers {
            let consumer = self.transports.get_mut(to).filter(|t| t.connected).and_then(|t| t.consumers.get_mut(mid));
            if let Some(consumer) = consumer.filter(|c| c.negotiated) {
                needed.extend(consumer.choose(&layers));
            }
        }
        for layer in needed {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// One consumer begins, or wants another layer.
    pub(super) fn choose_layer(&mut self, now: Instant, of: Key, mid: Mid) {
        let Some(transport) = self.transports.get_mut(&of).filter(|t| t.connected) else { return };
        let Some(consumer) = transport.consumers.get_mut(&mid).filter(|c| c.negotiated) else { return };
        let key = consumer.producer;
        let Some(producer) = self.producers.get(&key) else { return };
        if let Some(layer) = consumer.choose(&producer.candidates()) {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// Asks a publisher for a key frame, unless it was asked just now.
    pub(super) fn ask_key_frame(&mut self, now: Instant, key: ProducerKey, layer: usize) {
        let Some(producer) = self.producers.get_mut(&key).filter(|p| !p.paused) else { return };
        let Some(rid) = producer.want_key_frame(now, layer) else { return };
        let (from, mid) = (producer.transport, producer.mid);
        let Some(transport) = self.transports.get_mut(&from) else { return };
        if transport.request_key_frame(mid, rid) {
            self.counters.key_frame_requests_out += 1;
            self.touch(from);
        }
    }
}

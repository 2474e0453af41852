//! Which producers feed which consumers: membership of rooms, and the walk of packets to their subscribers.
//! A packet is looked at once when it comes (`take`) and waits with others of its producer; then `flush`, the hot path,
//! walks the subscribers once for all of them, so that those of one subscriber leave together.
//! Invariant: a packet goes only to consumers of its own producer, and those are of the same room.
//! Next: `consumer.rs` decides per subscriber, `egress.rs` sends.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::media::{Mid, Rid};
use str0m::rtp::RtpPacket;

use super::address::Address;
use super::allocation::{Weight, Wish, allocate};
use super::consumer::{Grant, Packet, Verdict};
use super::crossing::Crossing;
use super::egress::feedback::{self, Feedback};
use super::egress::{Run, Sink};
use super::guard::trap;
use super::producer::{Origin, ProducerKey};
use super::quality;
use super::{Engine, Key, Output};
use crate::counters::DropReason;
use crate::limits::{
    ALLOCATE_CALMLY, ALLOCATE_EVERY, ARRIVALS_PER_REPORT, COPIES_AT_MOST, GATHER_AT_MOST, GATHER_PER_PACKET, HUNGRY_EVERY,
    LAYERS_PER_PRODUCER,
};
use crate::sdp::Kind;
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

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl Engine {
    /// Takes a packet in that came on `from`; it goes to everyone who consumes it with the next `flush`.
    pub(super) fn take(&mut self, now: Instant, from: Key, rtp: &RtpPacket, mid: Mid, rid: Option<Rid>) {
        self.counters.packets_in += 1;
        trap::spring("packet");
        let key = self.transports.get(&from).and_then(|t| t.incoming.get(&mid)).copied();
        let Some((key, producer)) = key.and_then(|key| Some((key, self.producers.get_mut(&key)?))) else {
            self.counters.dropped(DropReason::NoProducer);
            return;
        };
        let descriptor = producer.read(rtp, rid);
        let mut packet = Packet::new(now, rtp, descriptor);
        let Some(seen) = producer.see(&mut packet, rid) else {
            self.counters.dropped(DropReason::Malformed);
            return;
        };
        if seen.refused {
            self.counters.dropped(DropReason::BeyondCap);
            if seen.changed {
                self.cut_stream(key, packet.stream);
                self.choose_layers(now, key);
            }
            return;
        }
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
        self.arrive(now, key, rid, packet, seen.changed);
    }

    /// A packet of a producer is here, from its client or from another thread.
    pub(super) fn arrive(&mut self, now: Instant, key: ProducerKey, rid: Option<Rid>, packet: Packet, changed: bool) {
        if changed {
            self.choose_layers(now, key);
        }
        let Some(producer) = self.producers.get_mut(&key) else { return };
        for mirror in &producer.mirrors {
            match self.crossings.push(mirror.on, Crossing::Packet { key, rid, packet: packet.clone() }) {
                true => self.counters.packets_crossed += 1,
                false => self.counters.dropped(DropReason::CrossingFull),
            }
        }
        let layer = packet.layer;
        let ask = producer.is_key_frame_due(now, packet.stream, packet.starts_key_frame());
        producer.keep(&packet);
        // Sound is not held back.
        let patience = if producer.kind == Kind::Audio { Duration::ZERO } else { self.gathering };
        if producer.waiting.is_empty() {
            self.waiting.push(key);
        }
        producer.waiting.push(packet);
        let at = self.flushed_at + patience;
        self.flush_at = Some(self.flush_at.map_or(at, |before| before.min(at)));
        if ask {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// Sends what waits, if its time has come.
    pub(crate) fn flush(&mut self, now: Instant, sink: Sink<'_>) {
        if self.flush_at.is_none_or(|at| at > now) {
            return;
        }
        self.flush_at = None;
        self.flushed_at = now;
        let before = self.counters.packets_out;
        let mut waiting = std::mem::take(&mut self.waiting);
        for key in waiting.drain(..) {
            self.flush_producer(now, key, sink);
        }
        self.waiting = waiting;
        self.run.send(sink);
        let sent = u32::try_from(self.counters.packets_out - before).unwrap_or(u32::MAX);
        self.gathering = GATHER_PER_PACKET.saturating_mul(sent).min(GATHER_AT_MOST);
        self.settle(now);
    }

    fn flush_producer(&mut self, now: Instant, key: ProducerKey, sink: Sink<'_>) {
        let Some(producer) = self.producers.get_mut(&key) else { return };
        let mut packets = std::mem::take(&mut producer.waiting);
        let consumers = std::mem::take(&mut producer.consumers);
        let mut asked = 0_u8;
        let mut broken = Vec::new();
        for (to, mid) in &consumers {
            match catch_unwind(AssertUnwindSafe(|| self.send(now, *to, *mid, &packets, sink))) {
                Ok(layers) => asked |= layers,
                Err(_) => broken.push(*to),
            }
        }
        packets.clear();
        if let Some(producer) = self.producers.get_mut(&key) {
            producer.consumers = consumers;
            producer.waiting = packets;
        }
        for key in broken {
            self.counters.panics += 1;
            self.run = Run::default();
            self.end_transport(now, key, Some(CloseReason::Panicked));
        }
        for layer in (0..LAYERS_PER_PRODUCER).filter(|layer| asked & (1 << layer) != 0) {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// Some packets to one consumer. Returns the layers it waits for key frames of, a bit each.
    fn send(&mut self, now: Instant, to: Key, mid: Mid, packets: &[Packet], sink: Sink<'_>) -> u8 {
        let Some(transport) = self.transports.get_mut(&to) else { return 0 };
        let Some(client) = transport.client() else { return 0 };
        let Some(egress) = &mut transport.egress else { return 0 };
        let Some(consumer) = transport.consumers.get_mut(&mid).filter(|c| c.negotiated) else { return 0 };
        trap::spring("flush");
        let mut asked = 0;
        for packet in packets {
            match consumer.forward(packet) {
                Verdict::Drop if packet.marker => consumer.quality.pass(),
                Verdict::Drop => {}
                Verdict::NeedsKeyFrame => {
                    asked |= 1 << packet.layer;
                    if packet.marker {
                        consumer.quality.pass();
                    }
                }
                Verdict::Send { numbers, switched } => {
                    if consumer.kind == Kind::Video {
                        if packet.starts_key_frame() {
                            quality::thawed(&mut self.counters, consumer.quality.begin_anew(packet.at));
                        }
                        if packet.marker {
                            quality::thawed(&mut self.counters, consumer.quality.show(packet.at));
                        }
                    }
                    self.run.add(client, sink, |buffer, start| {
                        egress.write(now, buffer, start, &mut consumer.stream, packet, &numbers);
                    });
                    self.counters.packets_out += 1;
                    self.counters.layer_switches += u64::from(switched);
                    // That the last packet of a picture is missing shows only when the next picture comes: too late.
                    if packet.marker
                        && egress.congestion.is_lossy()
                        && let Some(sent) = consumer.stream.sent_as(numbers.index as u16).copied()
                        && let Some(again) = egress.rewrite(now, &mut consumer.stream, sent, packet)
                    {
                        self.outputs.push_back(Output::Send { to: client, bytes: again.into() });
                    }
                }
            }
        }
        if consumer.stream.is_report_due(now) {
            consumer.quality.sample(now, consumer.stream.sent_so_far().1);
            let report = egress.report(&mut consumer.stream, now, self.identity.wall(now));
            self.outputs.push_back(Output::Send { to: client, bytes: report.into() });
        }
        asked
    }

    /// A report of a subscriber came in: what it misses is sent again, what it cannot decode is asked for, and what its
    /// line carries is shared out anew.
    pub(super) fn hear_subscriber(&mut self, now: Instant, key: Key, from: Address, datagram: &[u8]) {
        let Some(transport) = self.transports.get_mut(&key) else { return };
        let Some(egress) = &mut transport.egress else { return };
        let mut report = std::mem::take(&mut self.report);
        report.clear();
        report.extend_from_slice(datagram);
        if egress.open(&mut report) {
            transport.proven(now, from);
            self.hear_report(now, key, from, &report);
        } else {
            self.counters.dropped(DropReason::Malformed);
        }
        self.report = report;
    }

    /// A genuine report, opened.
    pub(super) fn hear_report(&mut self, now: Instant, key: Key, from: Address, report: &[u8]) {
        let mut arrivals = 0;
        feedback::read(report, |wish| {
            if !matches!(wish, Feedback::Arrivals(_)) || arrivals < ARRIVALS_PER_REPORT {
                arrivals += usize::from(self.obey(now, key, from, wish));
            }
        });
        if arrivals > 0 {
            self.allocate(now, key);
        }
    }

    /// One thing a subscriber said. True if it told what arrived.
    fn obey(&mut self, now: Instant, key: Key, from: Address, wish: Feedback<'_>) -> bool {
        let Some(transport) = self.transports.get_mut(&key) else { return false };
        let Some(egress) = &mut transport.egress else { return false };
        let (ssrc, missing) = match wish {
            Feedback::Arrivals(body) => {
                egress.congestion.hear(now, body);
                return true;
            }
            Feedback::Received(report) => {
                self.hear_reception(now, key, &report);
                return false;
            }
            Feedback::KeyFrameWanted { ssrc } => (ssrc, None),
            Feedback::Missing { ssrc, first, after } => (ssrc, Some((first, after))),
        };
        let Some(Some(mid)) = transport.ssrcs.get(&ssrc) else { return false };
        let Some(consumer) = transport.consumers.get_mut(mid) else { return false };
        let Some((first, after)) = missing else {
            self.counters.key_frame_requests_in += 1;
            consumer.quality.stall(now);
            if let Some(layer) = consumer.layer_to_refresh() {
                let producer = consumer.producer;
                self.ask_key_frame(now, producer, layer);
            }
            return false;
        };
        self.counters.nacks_in += 1;
        let Some(producer) = self.producers.get(&consumer.producer) else { return false };
        for number in Feedback::numbers(first, after) {
            let Some((sent, asked)) = consumer.stream.find(number) else { continue };
            let Some(packet) = producer.kept(now, sent.stream, sent.incoming) else { continue };
            // What is asked for once more was lost twice, and a picture waits.
            let copies = egress.congestion.copies().saturating_add(asked - 1);
            for _ in 0..copies.min(COPIES_AT_MOST) {
                let Some(again) = egress.rewrite(now, &mut consumer.stream, sent, packet) else { break };
                self.outputs.push_back(Output::Send { to: from, bytes: again.into() });
                consumer.quality.resent = consumer.quality.resent.saturating_add(1);
                self.counters.resent += 1;
            }
        }
        false
    }

    /// Shares a subscriber's line out among its tracks, and finds out whether it carries more if that is wanted.
    pub(super) fn allocate(&mut self, now: Instant, key: Key) {
        let Some(transport) = self.transports.get_mut(&key) else { return };
        let Some(client) = transport.client() else { return };
        let Some(egress) = &mut transport.egress else { return };
        trap::spring("allocate");
        let Some(budget) = egress.congestion.estimate() else { return };
        let pause = if transport.wanted.saturating_mul(2) <= budget { ALLOCATE_CALMLY } else { ALLOCATE_EVERY };
        if transport.allocated_at.is_some_and(|at| now.saturating_duration_since(at) < pause) {
            return;
        }
        transport.allocated_at = Some(now);
        let mut audio = 0;
        let (mut mids, mut wishes) = (Vec::new(), Vec::new());
        for (mid, consumer) in &transport.consumers {
            let Some(producer) = self.producers.get(&consumer.producer).filter(|p| consumer.negotiated && !p.paused) else {
                continue;
            };
            if producer.kind == Kind::Audio {
                audio += producer.rate();
                continue;
            }
            let weight = match consumer.wanted.as_deref() {
                _ if producer.screen_share => Weight::Screen,
                Some("q") => Weight::Small,
                _ => Weight::Large,
            };
            let layers = producer.options(consumer.wanted);
            if !layers.is_empty() {
                mids.push(*mid);
                wishes.push(Wish { weight, layers, current: consumer.current_layer() });
            }
        }
        let allocation = allocate(budget, audio, &wishes);
        transport.wanted = allocation.wanted;
        let mut needed = Vec::new();
        for (mid, layer) in mids.iter().zip(&allocation.layers) {
            let Some(consumer) = transport.consumers.get_mut(mid) else { continue };
            let Some(producer) = self.producers.get(&consumer.producer) else { continue };
            let grant = layer.map_or(Grant::Nothing, Grant::UpTo);
            needed.extend(consumer.grant(grant, &producer.candidates()).map(|layer| (consumer.producer, layer)));
        }
        if allocation.wanted > budget {
            self.hungry.insert(key);
            self.hungry_at.get_or_insert(now + HUNGRY_EVERY);
        }
        if let Some(consumer) = transport.consumers.values_mut().find(|c| c.stream.may_probe()) {
            for padding in egress.probe(now, &mut consumer.stream, allocation.wanted) {
                self.outputs.push_back(Output::Send { to: client, bytes: padding.into() });
            }
        }
        for (producer, layer) in needed {
            self.ask_key_frame(now, producer, layer);
        }
    }

    /// Lets all consumers of a producer choose their layer anew.
    pub(super) fn choose_layers(&mut self, now: Instant, key: ProducerKey) {
        self.lift(key);
        let Some(producer) = self.producers.get(&key) else { return };
        let layers = producer.candidates();
        let mut needed = HashSet::new();
        for (to, mid) in &producer.consumers {
            let Some(transport) = self.transports.get_mut(to).filter(|t| t.connected) else { continue };
            transport.wanted = u64::MAX;
            if let Some(consumer) = transport.consumers.get_mut(mid).filter(|c| c.negotiated) {
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
        transport.wanted = u64::MAX;
        let Some(consumer) = transport.consumers.get_mut(&mid).filter(|c| c.negotiated) else { return };
        let key = consumer.producer;
        self.lift(key);
        let Some(consumer) = self.transports.get_mut(&of).and_then(|t| t.consumers.get_mut(&mid)) else { return };
        let Some(producer) = self.producers.get(&key) else { return };
        if let Some(layer) = consumer.choose(&producer.candidates()) {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// Asks a publisher for a key frame, unless it was asked just now.
    pub(super) fn ask_key_frame(&mut self, now: Instant, key: ProducerKey, layer: usize) {
        let Some(producer) = self.producers.get_mut(&key).filter(|p| !p.paused) else { return };
        let Some(rid) = producer.want_key_frame(now, layer) else { return };
        let (from, mid) = match producer.origin {
            Origin::Client { transport, mid } => (transport, mid),
            Origin::Thread { home, .. } => return self.cross(home, Crossing::KeyFrameWanted { key, rid }),
        };
        if self.run(now, from, |transport, _, _| transport.request_key_frame(mid, rid)) == Some(true) {
            self.counters.key_frame_requests_out += 1;
            self.touch(from);
        }
    }
}

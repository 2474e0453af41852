//! The walk of packets to their subscribers.
//! A packet is looked at once when it comes (`take`) and waits with others of its producer; then `flush`, the hot path,
//! walks the subscribers once for all of them, so that those of one subscriber leave together.
//! Invariant: a packet goes only to consumers of its own producer, and those are of the same room.
//! Next: `consumer.rs` decides per subscriber, `egress.rs` sends, `subscribers.rs` hears what they say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::media::{Mid, Rid};
use str0m::rtp::RtpPacket;

use super::consumer::Verdict;
use super::crossing::Crossing;
use super::egress::outbox::Sink;
use super::key::{Key, ProducerKey};
use super::packet::Packet;
use super::{Engine, Output, quality, trap};
use crate::counters::DropReason;
use crate::limits::LAYERS_PER_PRODUCER;
use crate::sdp::Kind;
use crate::{CloseReason, Event};

impl Engine {
    /// Takes a packet in that came on `from`; it goes to everyone who consumes it with the next `flush`.
    pub(super) fn take(&mut self, now: Instant, from: Key, rtp: &RtpPacket, mid: Mid, rid: Option<Rid>) {
        self.counters.packets_in += 1;
        trap::spring("packet");
        let publishing = self.transports.get_mut(from).map(|t| &mut t.publishing);
        let found = publishing.and_then(|publishing| Some((publishing.on(mid)?, publishing)));
        let Some((key, publishing)) = found else { return self.counters.dropped(DropReason::NoProducer) };
        let Some(producer) = self.producers.get_mut(key) else { return self.counters.dropped(DropReason::NoProducer) };
        let descriptor = producer.read(rtp, rid);
        let mut packet = Packet::new(rtp, descriptor);
        let Some(seen) = producer.see(&mut packet, rid) else {
            self.counters.dropped(DropReason::Malformed);
            return;
        };
        packet.moment = producer.moment(&packet, &mut publishing.moments);
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
        let Some(producer) = self.producers.get_mut(key) else { return };
        for mirror in &producer.mirrors {
            match self.crossings.push(mirror.on, Crossing::Packet { key, rid, packet: packet.clone() }) {
                true => self.counters.packets_crossed += 1,
                false => self.counters.dropped(DropReason::CrossingFull),
            }
        }
        let layer = packet.layer;
        let ask = producer.is_key_frame_due(now, packet.stream, packet.starts_key_frame());
        producer.keep(&packet);
        self.leaving.wait(now, key, producer.kind, producer.waiting.is_empty());
        producer.waiting.push(packet);
        if ask {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// Sends what waits, if its time has come.
    pub(crate) fn flush(&mut self, now: Instant, sink: Sink<'_>) {
        let live = self.leaving.begin(now);
        let replays = self.are_replays_due(now);
        if live.is_none() && !replays {
            return;
        }
        if let Some(producers) = live {
            let before = self.counters.packets_out;
            for key in &producers {
                self.flush_producer(now, *key, sink);
            }
            self.leaving.end(producers, self.counters.packets_out - before);
        }
        if replays {
            self.send_replays(now, sink);
        }
        self.leaving.outbox.send(sink);
        self.settle(now);
    }

    fn flush_producer(&mut self, now: Instant, key: ProducerKey, sink: Sink<'_>) {
        let Some(producer) = self.producers.get_mut(key) else { return };
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
        if let Some(producer) = self.producers.get_mut(key) {
            producer.consumers = consumers;
            producer.waiting = packets;
        }
        for key in broken {
            self.counters.panics += 1;
            self.leaving.abandon();
            self.end_transport(now, key, Some(CloseReason::Panicked));
        }
        self.ask_key_frames(now, key, asked);
    }

    /// `layers` has a bit for each that someone waits for.
    pub(super) fn ask_key_frames(&mut self, now: Instant, key: ProducerKey, layers: u8) {
        for layer in (0..LAYERS_PER_PRODUCER).filter(|layer| layers & (1 << layer) != 0) {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// Some packets to one consumer. Returns the layers it waits for key frames of, a bit each.
    pub(super) fn send(&mut self, now: Instant, to: Key, mid: Mid, packets: &[Packet], sink: Sink<'_>) -> u8 {
        let Some(transport) = self.transports.get_mut(to) else { return 0 };
        let Some(client) = transport.client(now) else { return 0 };
        let Some((egress, consumer)) = transport.subscribing.sending(mid).filter(|(_, c)| c.negotiated) else { return 0 };
        trap::spring("flush");
        let mut asked = 0;
        let replay = consumer.replay;
        for packet in packets {
            if replay.is_some_and(|replay| replay.covers(packet)) {
                continue;
            }
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
                    self.leaving.outbox.add(client, sink, |buffer, start| {
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
                        self.leaving.outbox.add(client, sink, |buffer, _| buffer.extend_from_slice(&again));
                    }
                }
            }
        }
        if replay.is_none() && consumer.stream.is_report_due(now) {
            consumer.quality.sample(now, consumer.stream.sent_so_far().1);
            let report = egress.report(&mut consumer.stream, now, self.identity.wall(now));
            self.leaving.outbox.add(client, sink, |buffer, _| buffer.extend_from_slice(&report));
        }
        asked
    }
}

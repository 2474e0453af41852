//! What newcomers are given of the past: the last key frame of a producer and all that followed, at the pace that their line
//! bears, until they have caught up. So they see a picture at once, and nobody is asked for a new key frame.
//! Only for who has got nothing yet on a track: who goes to another layer waits for its key frame, as it has a picture.
//! Invariant: only what no longer waits to be forwarded leaves here.
//! Next: `replays.rs` knows who has come how far, `kept.rs` has the packets.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::media::Mid;

use super::Engine;
use super::consumer::Consumer;
use super::egress::outbox::Sink;
use super::key::{Key, ProducerKey};
use super::packet::Packet;
use super::replays::{Line, Replay};
use crate::CloseReason;
use crate::limits::{REPLAY_EVERY, REPLAY_WITHIN, RESEND_PACKETS};

/// What one consumer gets now.
enum Turn {
    /// These packets; there are more, or there are none.
    Some { packets: Vec<Packet>, more: bool },
    /// The same packets wait to be forwarded. Then they will not any more.
    Wait,
    /// There is nothing to begin with any more, or it is going another way. A key frame of the layer is needed if some.
    Over(Option<(ProducerKey, usize)>),
}

impl Engine {
    /// Gives a consumer what came of a layer since its last key frame. False if that is no way to begin: then it needs a new
    /// one.
    pub(super) fn replay(&mut self, now: Instant, to: Key, mid: Mid, layer: usize) -> bool {
        let left = self.replays.left(to);
        let Some((egress, consumer)) = self.transports.get_mut(to).and_then(|t| t.subscribing.sending(mid)) else {
            return false;
        };
        let Some(producer) = self.producers.get(consumer.producer).filter(|p| !p.paused && consumer.is_new()) else {
            return false;
        };
        let Some(stream) = producer.stream_with(layer) else { return false };
        let Some(since) = producer.kept(stream).and_then(|kept| kept.since_key_frame(now)) else { return false };
        if bytes_in(egress.congestion.pace(), REPLAY_WITHIN) < left + since.bytes {
            return false;
        }
        // One that has not begun may go to another layer in the same place.
        if consumer.replay.replace(Replay { stream, next: 0 }).is_none() {
            self.replays.add(now, to, mid, since.bytes);
        }
        true
    }

    pub(super) fn are_replays_due(&self, now: Instant) -> bool {
        self.replays.wakes_at().is_some_and(|at| at <= now)
    }

    /// Sends what may leave now of the past.
    pub(super) fn send_replays(&mut self, now: Instant, sink: Sink<'_>) {
        let mut lines = std::mem::take(&mut self.replays.lines);
        lines.retain_mut(|line| {
            if line.at <= now {
                let turn = catch_unwind(AssertUnwindSafe(|| self.send_on_line(now, line, sink)));
                if turn.is_err() {
                    line.mids.clear();
                    self.counters.panics += 1;
                    self.leaving.abandon();
                    self.end_transport(now, line.to, Some(CloseReason::Panicked));
                }
            }
            !line.mids.is_empty()
        });
        lines.append(&mut self.replays.lines);
        self.replays.lines = lines;
    }

    fn send_on_line(&mut self, now: Instant, line: &mut Line, sink: Sink<'_>) {
        let Some((pace, lately)) = self.pace_of(now, line.to) else { return self.stop_line(line) };
        let bears = bytes_in(pace, REPLAY_EVERY);
        // On a line that is full already a share of it: who waits for a picture must not wait for ever.
        let mut budget = bears.saturating_sub(lately).max(bears / 4).max(1);
        let mut sent = 0;
        line.at = now + REPLAY_EVERY;
        while budget > 0
            && let Some(mid) = line.mids.front().copied()
        {
            match self.take_turn(now, line.to, mid, budget) {
                Turn::Some { packets, more } => {
                    let bytes = packets.iter().map(|packet| packet.payload.len()).sum();
                    (budget, sent) = (budget.saturating_sub(bytes), sent + bytes);
                    let asked = self.send(now, line.to, mid, &packets, sink);
                    self.ask_for_those(now, line.to, mid, asked);
                    if more {
                        continue;
                    }
                }
                Turn::Wait => {
                    line.at = self.leaving.wakes_at().unwrap_or(line.at);
                    break;
                }
                Turn::Over(needed) => {
                    if let Some((producer, layer)) = needed {
                        self.ask_key_frame(now, producer, layer);
                    }
                }
            }
            line.mids.pop_front();
        }
        line.left = line.left.saturating_sub(sent);
        // A packet is as long as it is: a slow line rests longer after it.
        line.at = line.at.max(now + Duration::from_micros(sent as u64 * 8_000_000 / pace.max(1)));
    }

    /// What may leave on a line, in bit/s, and the bytes that left in the last while. None if its client cannot be reached.
    fn pace_of(&self, now: Instant, to: Key) -> Option<(u64, usize)> {
        let transport = self.transports.get(to)?;
        transport.client(now)?;
        let congestion = &transport.subscribing.egress()?.congestion;
        Some((congestion.pace(), congestion.sent_within(now, REPLAY_EVERY)))
    }

    /// The client is not there: when it is, its tracks begin anew.
    fn stop_line(&mut self, line: &mut Line) {
        let mut transport = self.transports.get_mut(line.to);
        for mid in line.mids.drain(..) {
            if let Some(consumer) = transport.as_mut().and_then(|t| t.subscribing.consumer_mut(mid)) {
                consumer.restart();
            }
        }
    }

    fn take_turn(&mut self, now: Instant, to: Key, mid: Mid, budget: usize) -> Turn {
        let consumer = self.transports.get_mut(to).and_then(|t| t.subscribing.consumer_mut(mid));
        let Some(consumer) = consumer else { return Turn::Over(None) };
        let Some(replay) = consumer.replay else { return Turn::Over(None) };
        let key = consumer.producer;
        let over = |consumer: &mut Consumer| {
            consumer.restart();
            Turn::Over(consumer.awaited_layer().map(|layer| (key, layer)))
        };
        let Some(producer) = self.producers.get(key).filter(|p| !p.paused) else { return over(consumer) };
        if !producer.waiting.is_empty() {
            return Turn::Wait;
        }
        let Some(kept) = producer.kept(replay.stream) else { return over(consumer) };
        let Some(newest) = kept.newest() else { return over(consumer) };
        let mut next = replay.next;
        if !replay.begun() {
            // A newer one may have come meanwhile.
            let Some(since) = kept.since_key_frame(now).filter(|_| consumer.awaits(replay.stream)) else {
                return over(consumer);
            };
            consumer.squeeze(newest);
            next = since.first;
        } else if newest.index.saturating_sub(next) >= RESEND_PACKETS as u64 {
            return over(consumer);
        } else if !consumer.gets(replay.stream) {
            // The layer it went to needs no past.
            consumer.replay = None;
            return Turn::Over(None);
        }
        let (mut packets, mut bytes) = (Vec::new(), 0);
        while next <= newest.index && bytes < budget {
            if let Some(packet) = kept.get(next) {
                bytes += packet.payload.len();
                // The first picture came before its larger layers were known.
                packets.push(Packet { scalable: producer.is_scalable(replay.stream), ..packet.clone() });
            }
            next += 1;
        }
        let more = next <= newest.index;
        consumer.replay = more.then_some(Replay { next, ..replay });
        Turn::Some { packets, more }
    }

    fn ask_for_those(&mut self, now: Instant, to: Key, mid: Mid, layers: u8) {
        let consumer = self.transports.get(to).and_then(|t| t.subscribing.consumer(mid));
        let Some(producer) = consumer.map(|consumer| consumer.producer) else { return };
        self.ask_key_frames(now, producer, layers);
    }
}

fn bytes_in(bits_per_second: u64, time: Duration) -> usize {
    (bits_per_second / 8 * time.as_millis() as u64 / 1_000) as usize
}

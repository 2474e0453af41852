//! What subscribers say, and what comes of it: packets again, key frames, another share of their line.
//! Invariant: a report is believed only if it was sealed with the subscriber's key, and costs a bounded amount.
//! Next: `allocation.rs` shares a line out, `consumer.rs` goes to the layer that it is granted.

use std::collections::HashSet;
use std::time::Instant;

use str0m::media::Mid;

use super::Engine;
use super::address::Address;
use super::allocation::{Weight, Wish, allocate};
use super::crossing::Crossing;
use super::egress::feedback::{self, Feedback};
use super::key::{Key, ProducerKey};
use super::layers::Grant;
use super::producer::Origin;
use super::{Output, trap};
use crate::counters::DropReason;
use crate::limits::{ARRIVALS_PER_REPORT, COPIES_AT_MOST};
use crate::sdp::Kind;

impl Engine {
    /// A report of a subscriber came in: what it misses is sent again, what it cannot decode is asked for, and what its
    /// line carries is shared out anew.
    pub(super) fn hear_subscriber(&mut self, now: Instant, key: Key, from: Address, datagram: &[u8]) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(egress) = transport.subscribing.egress_mut() else { return };
        let mut report = std::mem::take(&mut self.report);
        report.clear();
        report.extend_from_slice(datagram);
        if egress.open(&mut report) {
            transport.proven(now, from);
            self.hear_report(now, key, &report);
        } else {
            self.counters.dropped(DropReason::Malformed);
        }
        self.report = report;
    }

    /// A genuine report, opened.
    pub(super) fn hear_report(&mut self, now: Instant, key: Key, report: &[u8]) {
        let mut arrivals = 0;
        feedback::read(report, |wish| {
            if !matches!(wish, Feedback::Arrivals(_)) || arrivals < ARRIVALS_PER_REPORT {
                arrivals += usize::from(self.obey(now, key, wish));
            }
        });
        if arrivals > 0 {
            self.allocate(now, key);
        }
    }

    /// One thing a subscriber said. True if it told what arrived.
    fn obey(&mut self, now: Instant, key: Key, wish: Feedback<'_>) -> bool {
        let Some(transport) = self.transports.get_mut(key) else { return false };
        let Some(egress) = transport.subscribing.egress_mut() else { return false };
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
        let client = transport.client(now);
        let Some((egress, consumer)) = transport.subscribing.sending_as(ssrc) else { return false };
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
        let (Some(client), Some(producer)) = (client, self.producers.get(consumer.producer)) else { return false };
        for number in Feedback::numbers(first, after) {
            let Some((sent, asked)) = consumer.stream.find(number) else { continue };
            let Some(packet) = producer.kept(sent.stream.into()).and_then(|kept| kept.to_resend(now, sent.incoming)) else {
                continue;
            };
            // What is asked for once more was lost twice, and a picture waits.
            let copies = egress.congestion.copies().saturating_add(asked - 1);
            for _ in 0..copies.min(COPIES_AT_MOST) {
                let Some(again) = egress.rewrite(now, &mut consumer.stream, sent, packet) else { break };
                self.outputs.push_back(Output::Send { to: client, bytes: again.into() });
                consumer.quality.resent = consumer.quality.resent.saturating_add(1);
                self.counters.resent += 1;
            }
        }
        false
    }

    /// Shares a subscriber's line out among its tracks, and finds out whether it carries more if that is wanted.
    pub(super) fn allocate(&mut self, now: Instant, key: Key) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(client) = transport.client(now) else { return };
        let subscribing = &mut transport.subscribing;
        if subscribing.egress().is_none() {
            return;
        }
        trap::spring("allocate");
        let Some(budget) = subscribing.take_budget(now) else { return };
        let mut audio = 0;
        let (mut mids, mut wishes) = (Vec::new(), Vec::new());
        for (mid, consumer) in subscribing.consumers() {
            let Some(producer) = self.producers.get(consumer.producer).filter(|p| consumer.negotiated && !p.paused) else {
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
                mids.push(mid);
                wishes.push(Wish { weight, layers, current: consumer.current_layer() });
            }
        }
        let allocation = allocate(budget, audio, &wishes);
        subscribing.wants(allocation.wanted);
        let mut needed = Vec::new();
        for (mid, layer) in mids.iter().zip(&allocation.layers) {
            let Some(consumer) = subscribing.consumer_mut(*mid) else { continue };
            let Some(producer) = self.producers.get(consumer.producer) else { continue };
            let grant = layer.map_or(Grant::Nothing, Grant::UpTo);
            needed.extend(consumer.grant(grant, &producer.candidates()).map(|layer| (consumer.producer, layer)));
        }
        for padding in subscribing.probe(now) {
            self.outputs.push_back(Output::Send { to: client, bytes: padding.into() });
        }
        if allocation.wanted > budget {
            self.hungry.add(now, key);
        }
        for (producer, layer) in needed {
            self.ask_key_frame(now, producer, layer);
        }
    }

    /// A subscriber agrees to get media where it is now. What it missed until then it cannot decode without.
    pub(super) fn resume(&mut self, now: Instant, key: Key) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let mids: Vec<Mid> = transport.subscribing.consumers().map(|(mid, _)| mid).collect();
        for mid in &mids {
            if let Some(consumer) = transport.subscribing.consumer_mut(*mid) {
                consumer.restart();
            }
        }
        for mid in mids {
            self.choose_layer(now, key, mid);
        }
    }

    /// Lets all consumers of a producer choose their layer anew.
    pub(super) fn choose_layers(&mut self, now: Instant, key: ProducerKey) {
        self.lift(key);
        let Some(producer) = self.producers.get(key) else { return };
        let layers = producer.candidates();
        let mut needed = HashSet::new();
        for (to, mid) in &producer.consumers {
            let Some(transport) = self.transports.get_mut(*to).filter(|t| t.is_connected()) else { continue };
            transport.subscribing.wants_anew();
            if let Some(consumer) = transport.subscribing.consumer_mut(*mid).filter(|c| c.negotiated) {
                needed.extend(consumer.choose(&layers));
            }
        }
        for layer in needed {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// One consumer begins, or wants another layer.
    pub(super) fn choose_layer(&mut self, now: Instant, of: Key, mid: Mid) {
        let Some(transport) = self.transports.get_mut(of).filter(|t| t.is_connected()) else { return };
        transport.subscribing.wants_anew();
        let Some(consumer) = transport.subscribing.consumer_mut(mid).filter(|c| c.negotiated) else { return };
        let key = consumer.producer;
        self.lift(key);
        let Some(consumer) = self.transports.get_mut(of).and_then(|t| t.subscribing.consumer_mut(mid)) else { return };
        let Some(producer) = self.producers.get(key) else { return };
        if let Some(layer) = consumer.choose(&producer.candidates())
            && !self.replay(now, of, mid, layer)
        {
            self.ask_key_frame(now, key, layer);
        }
    }

    /// Asks a publisher for a key frame, unless it was asked just now.
    pub(super) fn ask_key_frame(&mut self, now: Instant, key: ProducerKey, layer: usize) {
        let Some(producer) = self.producers.get_mut(key).filter(|p| !p.paused) else { return };
        let Some(rid) = producer.want_key_frame(now, layer) else { return };
        let (from, mid) = match producer.origin {
            Origin::Client { transport, mid } => (transport, mid),
            Origin::Thread { home, .. } => return self.cross(home, Crossing::KeyFrameWanted { key, rid }),
        };
        if self.run(now, from, |transport, _, _| transport.request_key_frame(mid, rid)) == Some(true) {
            self.counters.key_frame_requests_out += 1;
            self.transports.touch(from);
        }
    }
}

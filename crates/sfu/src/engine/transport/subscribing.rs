//! What a client gets on a transport: its consumers by m-line, the sending side that they share, and how its line was
//! shared out.
//! Invariant: an SSRC is given once on a connection, as a second stream of that name would repeat what keys were used for.

use std::collections::HashMap;
use std::time::Instant;

use rustc_hash::FxHashMap;
use str0m::media::Mid;

use crate::engine::consumer::Consumer;
use crate::engine::egress::Egress;
use crate::engine::key::ProducerKey;
use crate::limits::{ALLOCATE_CALMLY, ALLOCATE_EVERY};

#[derive(Debug, Default)]
pub(crate) struct Subscribing {
    /// From when it is connected.
    egress: Option<Egress>,
    consumers: FxHashMap<Mid, Consumer>,
    consumer_of: HashMap<ProducerKey, Mid>,
    /// All that were ever sent on here, with their lines; those of retransmissions have none.
    ssrcs: FxHashMap<u32, Option<Mid>>,
    allocated_at: Option<Instant>,
    /// What it took to fulfil all wishes then, in bit/s; the most there is, if they have changed since.
    wanted: u64,
}

impl Subscribing {
    /// From now on media can be sent. False if the keys are of no use.
    pub(crate) fn begin(&mut self, egress: Option<Egress>) -> bool {
        self.egress = egress;
        self.egress.is_some()
    }

    pub(crate) fn egress(&self) -> Option<&Egress> {
        self.egress.as_ref()
    }

    pub(crate) fn egress_mut(&mut self) -> Option<&mut Egress> {
        self.egress.as_mut()
    }

    pub(crate) fn consumer(&self, mid: Mid) -> Option<&Consumer> {
        self.consumers.get(&mid)
    }

    pub(crate) fn consumer_mut(&mut self, mid: Mid) -> Option<&mut Consumer> {
        self.consumers.get_mut(&mid)
    }

    pub(crate) fn consumers(&self) -> impl ExactSizeIterator<Item = (Mid, &Consumer)> {
        self.consumers.iter().map(|(mid, consumer)| (*mid, consumer))
    }

    /// The line that a producer goes out on.
    pub(crate) fn mid_of(&self, producer: ProducerKey) -> Option<Mid> {
        self.consumer_of.get(&producer).copied()
    }

    /// What it takes to send on a line.
    #[inline]
    pub(crate) fn sending(&mut self, mid: Mid) -> Option<(&mut Egress, &mut Consumer)> {
        Some((self.egress.as_mut()?, self.consumers.get_mut(&mid)?))
    }

    /// The same for the line with this stream.
    pub(crate) fn sending_as(&mut self, ssrc: u32) -> Option<(&mut Egress, &mut Consumer)> {
        self.sending((*self.ssrcs.get(&ssrc)?)?)
    }

    pub(crate) fn add(&mut self, mid: Mid, consumer: Consumer) {
        self.consumer_of.insert(consumer.producer, mid);
        self.consumers.insert(mid, consumer);
    }

    pub(crate) fn remove(&mut self, mid: Mid) -> Option<Consumer> {
        let consumer = self.consumers.remove(&mid)?;
        self.consumer_of.remove(&consumer.producer);
        Some(consumer)
    }

    /// A name for a stream that was never used here. `random` makes some.
    pub(crate) fn new_ssrc(&mut self, mut random: impl FnMut() -> u32) -> u32 {
        loop {
            let ssrc = random();
            if ssrc != 0 && !self.ssrcs.contains_key(&ssrc) {
                self.ssrcs.insert(ssrc, None);
                return ssrc;
            }
        }
    }

    /// All names of streams that were ever given out, with their lines.
    pub(crate) fn ssrcs(&self) -> impl Iterator<Item = (u32, Option<Mid>)> + '_ {
        self.ssrcs.iter().map(|(ssrc, mid)| (*ssrc, *mid))
    }

    /// This name was given out by another process.
    pub(crate) fn remember_ssrc(&mut self, ssrc: u32, line: Option<Mid>) {
        self.ssrcs.insert(ssrc, line);
    }

    /// A stream is for this line.
    pub(crate) fn name_line(&mut self, ssrc: u32, mid: Mid) {
        self.ssrcs.insert(ssrc, Some(mid));
    }

    /// What is wanted of the line has changed.
    pub(crate) fn wants_anew(&mut self) {
        self.wanted = u64::MAX;
    }

    pub(crate) fn wants(&mut self, bits_per_second: u64) {
        self.wanted = bits_per_second;
    }

    /// What the line carries, in bit/s, if it is time to share that out.
    pub(crate) fn take_budget(&mut self, now: Instant) -> Option<u64> {
        let budget = self.egress.as_ref()?.congestion.estimate()?;
        let pause = if self.wanted.saturating_mul(2) <= budget { ALLOCATE_CALMLY } else { ALLOCATE_EVERY };
        if self.allocated_at.is_some_and(|at| now.saturating_duration_since(at) < pause) {
            return None;
        }
        self.allocated_at = Some(now);
        Some(budget)
    }

    /// Padding to find out whether the line carries as much as is wanted.
    pub(crate) fn probe(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let Some(egress) = &mut self.egress else { return Vec::new() };
        let Some(consumer) = self.consumers.values_mut().find(|c| c.stream.may_probe()) else { return Vec::new() };
        egress.probe(now, &mut consumer.stream, self.wanted)
    }
}

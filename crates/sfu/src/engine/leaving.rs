//! What came in and has not gone out yet: the producers with packets that wait for others, and until when they do.
//! Invariant: sound waits for nobody, and pictures never longer than `GATHER_AT_MOST`.

use std::time::{Duration, Instant};

use super::egress::outbox::Outbox;
use super::key::ProducerKey;
use crate::limits::{GATHER_AT_MOST, GATHER_PER_PACKET, LINGER};
use crate::sdp::Kind;

#[derive(Debug)]
pub(crate) struct Leaving {
    waiting: Vec<ProducerKey>,
    /// When they have waited long enough.
    at: Option<Instant>,
    left_at: Instant,
    /// How long packets wait for each other: the more leave at once, the longer.
    gathering: Duration,
    /// What is being written.
    pub outbox: Outbox,
}

impl Leaving {
    pub(crate) fn new(now: Instant) -> Self {
        Self { waiting: Vec::new(), at: None, left_at: now, gathering: Duration::ZERO, outbox: Outbox::default() }
    }

    /// A packet of this producer has come now and waits; `first` if no other of it does.
    pub(crate) fn wait(&mut self, now: Instant, producer: ProducerKey, kind: Kind, first: bool) {
        if first {
            self.waiting.push(producer);
        }
        let at = match kind {
            Kind::Audio => now,
            // Until enough time has passed since the last ones left, and where many leave, until a burst is whole.
            Kind::Video if self.gathering >= LINGER => (self.left_at + self.gathering).max(now + LINGER),
            Kind::Video => self.left_at + self.gathering,
        };
        self.at = Some(self.at.map_or(at, |before| before.min(at)));
    }

    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        self.at
    }

    /// The producers whose packets leave now, if it is time. They are given back to `end`, for their memory.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<Vec<ProducerKey>> {
        self.at.take_if(|at| *at <= now)?;
        self.left_at = now;
        Some(std::mem::take(&mut self.waiting))
    }

    /// So many packets have left.
    pub(crate) fn end(&mut self, mut producers: Vec<ProducerKey>, packets: u64) {
        producers.clear();
        self.waiting = producers;
        let packets = u32::try_from(packets).unwrap_or(u32::MAX);
        self.gathering = GATHER_PER_PACKET.saturating_mul(packets).min(GATHER_AT_MOST);
    }

    /// After a panic: a packet may have been half written.
    pub(crate) fn abandon(&mut self) {
        self.outbox = Outbox::default();
    }
}

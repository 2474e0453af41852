//! What a client sends on a transport, by m-line, and how much it may.

use std::collections::HashMap;

use str0m::media::Mid;

use crate::engine::key::ProducerKey;
use crate::engine::moments::Moments;

#[derive(Debug, Default)]
pub(crate) struct Publishing {
    producers: HashMap<Mid, ProducerKey>,
    /// The client's wall clock, by its sender reports.
    pub moments: Moments,
    /// The most the client was told to send, in bit/s, as nobody takes more.
    held_to: Option<u64>,
    /// It sent more than anybody wanted when last looked at.
    holdable: bool,
}

impl Publishing {
    pub(crate) fn on(&self, mid: Mid) -> Option<ProducerKey> {
        self.producers.get(&mid).copied()
    }

    pub(crate) fn producers(&self) -> impl Iterator<Item = ProducerKey> + '_ {
        self.producers.values().copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.producers.len()
    }

    pub(crate) fn begin(&mut self, mid: Mid, producer: ProducerKey) {
        self.producers.insert(mid, producer);
    }

    pub(crate) fn end(&mut self, mid: Mid) {
        self.producers.remove(&mid);
    }

    pub(crate) fn held_to(&self) -> Option<u64> {
        self.held_to
    }

    /// The client was told.
    pub(crate) fn hold_to(&mut self, bits_per_second: Option<u64>) {
        self.held_to = bits_per_second;
    }

    /// Notes whether there is something to hold back; returns whether there was the last time.
    pub(crate) fn set_holdable(&mut self, holdable: bool) -> bool {
        std::mem::replace(&mut self.holdable, holdable)
    }
}

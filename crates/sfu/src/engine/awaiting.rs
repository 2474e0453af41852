//! What went out on connections of an earlier run and comes in at other nodes: it goes on when it is here again.
//! Invariant: a line that has ended is not gone on with, and who does not come in time is not waited for any more.
//! Next: `resuming.rs`, which goes on with it.

use std::time::Instant;

use super::key::Key;
use super::saved::SavedConsumer;
use crate::ProducerId;
use crate::limits::AWAITED_FOR;

#[derive(Debug, Default)]
pub(super) struct Awaiting {
    consumers: Vec<(Key, SavedConsumer)>,
    until: Option<Instant>,
}

impl Awaiting {
    pub(super) fn add(&mut self, now: Instant, to: Key, consumer: SavedConsumer) {
        self.until = Some(now + AWAITED_FOR);
        self.consumers.push((to, consumer));
    }

    /// Those of a producer that is here now.
    pub(super) fn take(&mut self, producer: &ProducerId) -> Vec<(Key, SavedConsumer)> {
        self.consumers.extract_if(.., |(_, consumer)| consumer.producer == producer.as_str()).collect()
    }

    /// Those of a connection.
    pub(super) fn of(&self, to: Key) -> impl Iterator<Item = &SavedConsumer> {
        self.consumers.iter().filter(move |(of, _)| *of == to).map(|(_, consumer)| consumer)
    }

    pub(super) fn end_line(&mut self, of: Key, mid: &str) {
        self.consumers.retain(|(to, consumer)| *to != of || consumer.mid != mid);
    }

    pub(super) fn end_all(&mut self, of: Key) {
        self.consumers.retain(|(to, _)| *to != of);
    }

    pub(super) fn tidy(&mut self, now: Instant) {
        if self.until.take_if(|until| *until <= now).is_some() {
            self.consumers.clear();
        }
    }
}

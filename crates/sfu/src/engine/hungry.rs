//! Subscribers whose line does not carry what they want: looked at again without being asked, as a line on which nothing
//! is sent says nothing.

use std::collections::HashSet;
use std::time::Instant;

use super::key::Key;
use crate::limits::HUNGRY_EVERY;

#[derive(Debug, Default)]
pub(crate) struct Hungry {
    transports: HashSet<Key>,
    at: Option<Instant>,
}

impl Hungry {
    pub(crate) fn add(&mut self, now: Instant, transport: Key) {
        self.transports.insert(transport);
        self.at.get_or_insert(now + HUNGRY_EVERY);
    }

    pub(crate) fn forget(&mut self, transport: Key) {
        self.transports.remove(&transport);
    }

    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        self.at
    }

    /// Those to look at now.
    pub(crate) fn due(&mut self, now: Instant) -> HashSet<Key> {
        match self.at.take_if(|at| *at <= now) {
            Some(_) => std::mem::take(&mut self.transports),
            None => HashSet::new(),
        }
    }
}

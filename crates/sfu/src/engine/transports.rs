//! The transports of an engine, by key and by name: when each wants to be woken, and which have been written to.
//! Invariant: a transport's deadline is entered as it is whenever it was run, and goes with it.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Instant;

use rustc_hash::FxHashMap;

use super::key::Key;
use super::transport::Transport;
use crate::TransportId;

#[derive(Default)]
pub(crate) struct Transports {
    by_key: FxHashMap<Key, Entry>,
    by_id: HashMap<TransportId, Key>,
    /// When each wants to be woken, soonest first.
    deadlines: BTreeSet<(Instant, Key)>,
    /// Those that were written to and not brought up to date yet.
    touched: Vec<Key>,
}

struct Entry {
    /// Boxed, as each is 11 KB and a map keeps many places free.
    transport: Box<Transport>,
    deadline: Option<Instant>,
    touched: bool,
}

impl Transports {
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&Transport> {
        self.by_key.get(&key).map(|entry| &*entry.transport)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Transport> {
        self.by_key.get_mut(&key).map(|entry| &mut *entry.transport)
    }

    pub(crate) fn key_of(&self, id: &TransportId) -> Option<Key> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.by_key.keys().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Transport)> {
        self.by_key.iter().map(|(key, entry)| (*key, &*entry.transport))
    }

    pub(crate) fn add(&mut self, key: Key, transport: Transport) {
        self.by_id.insert(transport.id().clone(), key);
        self.by_key.insert(key, Entry { transport: Box::new(transport), deadline: None, touched: false });
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Box<Transport>> {
        let Entry { transport, deadline, .. } = self.by_key.remove(&key)?;
        self.by_id.remove(transport.id());
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, key));
        }
        Some(transport)
    }

    /// Lets a transport do something. An error after a panic: then it does not want to be woken any more, and is to end.
    pub(crate) fn run<R>(&mut self, key: Key, f: impl FnOnce(&mut Transport) -> R) -> Option<thread::Result<R>> {
        let entry = self.by_key.get_mut(&key)?;
        let done = catch_unwind(AssertUnwindSafe(|| f(&mut entry.transport)));
        let after = entry.transport.deadline().filter(|_| done.is_ok());
        if entry.deadline != after {
            if let Some(before) = entry.deadline {
                self.deadlines.remove(&(before, key));
            }
            if let Some(after) = after {
                self.deadlines.insert((after, key));
            }
            entry.deadline = after;
        }
        Some(done)
    }

    /// Those whose time has come.
    pub(crate) fn due(&self, now: Instant) -> Vec<Key> {
        self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| *key).collect()
    }

    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Marks a transport to be brought up to date before the current call of the engine ends.
    pub(crate) fn touch(&mut self, key: Key) {
        if let Some(entry) = self.by_key.get_mut(&key)
            && !std::mem::replace(&mut entry.touched, true)
        {
            self.touched.push(key);
        }
    }

    /// Takes one of those that were touched. It may have gone meanwhile.
    pub(crate) fn next_touched(&mut self) -> Option<Key> {
        let key = self.touched.pop()?;
        if let Some(entry) = self.by_key.get_mut(&key) {
            entry.touched = false;
        }
        Some(key)
    }

    /// Whether nothing is left of anything.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty() && self.by_id.is_empty() && self.deadlines.is_empty() && self.touched.is_empty()
    }
}

//! The producers of an engine, by key and by name; those of other threads' clients among them.

use std::collections::HashMap;

use rustc_hash::FxHashMap;

use super::key::ProducerKey;
use super::producer::Producer;
use crate::ProducerId;

#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_key: FxHashMap<ProducerKey, Producer>,
    by_id: HashMap<ProducerId, ProducerKey>,
}

impl Producers {
    #[inline]
    pub(crate) fn get(&self, key: ProducerKey) -> Option<&Producer> {
        self.by_key.get(&key)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: ProducerKey) -> Option<&mut Producer> {
        self.by_key.get_mut(&key)
    }

    pub(crate) fn key_of(&self, id: &ProducerId) -> Option<ProducerKey> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ProducerKey, &Producer)> {
        self.by_key.iter().map(|(key, producer)| (*key, producer))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Producer> {
        self.by_key.values_mut()
    }

    pub(crate) fn add(&mut self, key: ProducerKey, producer: Producer) {
        self.by_id.insert(producer.id.clone(), key);
        self.by_key.insert(key, producer);
    }

    pub(crate) fn remove(&mut self, key: ProducerKey) -> Option<Producer> {
        let producer = self.by_key.remove(&key)?;
        self.by_id.remove(&producer.id);
        Some(producer)
    }

    /// Whether nothing is left of anything.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty() && self.by_id.is_empty()
    }
}

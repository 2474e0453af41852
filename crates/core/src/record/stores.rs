//! What applications keep in a session: named stores of keys and values, as they stand.
//! Invariant: `bytes` is the sum of all keys and values, so that bounds cost nothing to check.
//! Next: `session/stores.rs`, who may write and how much.

use std::collections::BTreeMap;

use crate::event::StoreItem;
use crate::ids::PeerId;
use crate::time::Timestamp;

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// JSON; Salon does not look inside.
    pub payload: String,
    pub author: PeerId,
    pub at: Timestamp,
}

/// The stores of a session by name; one without keys is gone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stores {
    stores: BTreeMap<String, BTreeMap<String, Stored>>,
    bytes: usize,
}

impl Stores {
    pub fn get(&self, store: &str) -> Option<&BTreeMap<String, Stored>> {
        self.stores.get(store)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, Stored>)> {
        self.stores.iter().map(|(name, keys)| (name.as_str(), keys))
    }

    pub fn len(&self) -> usize {
        self.stores.len()
    }

    pub fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// What all keys and values add up to.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn set(&mut self, store: &str, author: &PeerId, items: &[StoreItem], at: Timestamp) {
        let keys = self.stores.entry(store.to_string()).or_default();
        for StoreItem { key, payload } in items {
            self.bytes += key.len() + payload.len();
            let stored = Stored { payload: payload.clone(), author: author.clone(), at };
            if let Some(old) = keys.insert(key.clone(), stored) {
                self.bytes -= key.len() + old.payload.len();
            }
        }
    }

    pub(super) fn delete(&mut self, store: &str, keys: Option<&[String]>) {
        let Some(held) = self.stores.get_mut(store) else { return };
        let gone: Vec<String> = keys.map_or_else(|| held.keys().cloned().collect(), <[String]>::to_vec);
        for key in gone {
            if let Some(old) = held.remove(&key) {
                self.bytes -= key.len() + old.payload.len();
            }
        }
        if held.is_empty() {
            self.stores.remove(store);
        }
    }
}

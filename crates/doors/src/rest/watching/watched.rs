//! What is watched on this node: one thing for each key, however many watch it.
//! Invariant: a thing is on the map as long as anybody but the map and its own task has it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};

/// A map of things that are watched.
pub struct Watched<K, T>(Mutex<HashMap<K, Arc<T>>>);

impl<K, T> Default for Watched<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T> Watched<K, T> {
    fn map(&self) -> MutexGuard<'_, HashMap<K, Arc<T>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What is there; made, and begun, if nothing is.
    pub fn get(&self, key: K, make: impl FnOnce() -> T, begin: impl FnOnce(Arc<T>)) -> Arc<T> {
        let mut map = self.map();
        if let Some(there) = map.get(&key) {
            return there.clone();
        }
        let new = Arc::new(make());
        map.insert(key, new.clone());
        begin(new.clone());
        new
    }

    /// Forgets a thing unless somebody else has it: the map does, and its own task, which asks.
    pub fn forget(&self, key: &K, thing: &Arc<T>) -> bool {
        let mut map = self.map();
        let is_alone = Arc::strong_count(thing) == 2;
        if is_alone {
            map.remove(key);
        }
        is_alone
    }
}

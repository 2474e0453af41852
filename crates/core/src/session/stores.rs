//! Shared stores of keys and values, in which applications and plugins keep what everyone should have.
//! Invariant: what is stored is within its bounds, per value, per store and per session, and one participant writes at
//! most `STORE_WRITES_PER_SECOND` times in any second.
//! Next: `pins.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{EventBody, StoreItem};
use crate::ids::PeerId;
use crate::limits::{
    MAX_DELETED_KEYS_KEPT, MAX_STORE_BYTES, MAX_STORE_KEY_BYTES, MAX_STORE_KEYS, MAX_STORE_NAME_BYTES, MAX_STORE_VALUE_BYTES,
    MAX_STORE_WRITE_KEYS, MAX_STORES,
};
use crate::record::Stored;
use crate::session::rate::Act;
use crate::session::{Message, Refusal, Session, StoreView};
use crate::time::Timestamp;

/// The store in which the web SDK keeps which plugins are open; a value of `null` closes one (read in 2.0.2).
const PLUGINS: &str = "__rtk_plugins__";

/// What an absent value is to applications.
const NULL: &str = "null";

impl Session {
    /// Writes keys, and tells everyone else.
    ///
    /// # Errors
    /// `NotAllowed` for plugins that the preset does not let the caller open or close, `TooLarge`, `Full`, `TooOften`.
    pub fn store_set(&mut self, now: Timestamp, caller: &PeerId, store: &str, items: Vec<StoreItem>) -> Result<(), Refusal> {
        self.tick(now);
        let plugins = self.caller(caller)?.preset.plugins;
        let closes = |item: &StoreItem| item.payload.trim() == NULL;
        if store == PLUGINS && items.iter().any(|item| if closes(item) { !plugins.can_close } else { !plugins.can_start }) {
            return Err(Refusal::NotAllowed);
        }
        check_name(store)?;
        if items.len() > MAX_STORE_WRITE_KEYS
            || items.iter().any(|item| !is_key(&item.key) || item.payload.len() > MAX_STORE_VALUE_BYTES)
        {
            return Err(Refusal::TooLarge);
        }
        if items.is_empty() {
            return Ok(());
        }
        let stores = &self.live().ok_or(Refusal::NoSession)?.stores;
        let held = stores.get(store);
        let new_keys = items.iter().filter(|item| held.is_none_or(|held| !held.contains_key(&item.key))).count();
        let more: usize = items.iter().map(|item| item.key.len() + item.payload.len()).sum();
        let less: usize = items.iter().filter_map(|item| Some(item.key.len() + held?.get(&item.key)?.payload.len())).sum();
        if (held.is_none() && stores.len() >= MAX_STORES)
            || held.map_or(0, BTreeMap::len) + new_keys > MAX_STORE_KEYS
            || stores.bytes() + more > MAX_STORE_BYTES + less.min(stores.bytes())
        {
            return Err(Refusal::Full);
        }
        self.count_write(caller)?;
        let told = items.iter().map(|item| {
            let stored = Stored { payload: item.payload.clone(), author: caller.clone(), at: self.now };
            (item.key.clone(), stored)
        });
        let news = StoreView { store: store.to_string(), items: told.collect() };
        self.emit(EventBody::StoreSet { store: store.to_string(), author: caller.clone(), items });
        self.send_all(Some(caller), &Message::Store { news: Arc::new(news), deleted: false });
        Ok(())
    }

    /// Deletes keys, or with `None` the whole store; everyone else is told that they are `null` now. What is not there
    /// is passed over.
    pub fn store_delete(
        &mut self,
        now: Timestamp,
        caller: &PeerId,
        store: &str,
        keys: Option<Vec<String>>,
    ) -> Result<(), Refusal> {
        self.tick(now);
        let plugins = self.caller(caller)?.preset.plugins;
        if store == PLUGINS && !plugins.can_close {
            return Err(Refusal::NotAllowed);
        }
        check_name(store)?;
        if keys.as_ref().is_some_and(|keys| keys.len() > MAX_STORE_WRITE_KEYS) {
            return Err(Refusal::TooLarge);
        }
        let Some(held) = self.live().and_then(|record| record.stores.get(store)) else { return Ok(()) };
        let mut gone: Vec<String> = match &keys {
            Some(keys) => keys.iter().filter(|key| held.contains_key(*key)).cloned().collect(),
            None => held.keys().cloned().collect(),
        };
        gone.sort();
        gone.dedup();
        if gone.is_empty() {
            return Ok(());
        }
        self.count_write(caller)?;
        let null = Stored { payload: NULL.to_string(), author: caller.clone(), at: self.now };
        let news = StoreView { store: store.to_string(), items: gone.iter().map(|key| (key.clone(), null.clone())).collect() };
        let keys = keys.map(|_| gone);
        self.emit(EventBody::StoreDeleted { store: store.to_string(), keys });
        let news = Arc::new(news);
        self.deletions.push_back(news.clone());
        while self.deletions.iter().map(|gone| gone.items.len()).sum::<usize>() > MAX_DELETED_KEYS_KEPT {
            self.deletions.pop_front();
        }
        self.send_all(Some(caller), &Message::Store { news, deleted: true });
        Ok(())
    }

    /// Tells a client that was away what others wrote since then, and what they deleted. What plugins are open it asks itself.
    pub(super) fn tell_stores_since(&mut self, comer: &PeerId, since: Timestamp) {
        let missed = |stored: &Stored| stored.at >= since && stored.author != *comer;
        let stores = self.live().into_iter().flat_map(|record| record.stores.iter()).filter(|(store, _)| *store != PLUGINS);
        let written = stores.map(|(store, held)| (store, held.iter().filter(|(_, stored)| missed(stored)), false));
        let mut news: Vec<_> = written.map(|(store, items, deleted)| (view(store, items), deleted)).collect();
        let is_there = |store: &str, key: &String| {
            self.live().and_then(|record| record.stores.get(store)).is_some_and(|held| held.contains_key(key))
        };
        news.extend(self.deletions.iter().filter(|view| view.store != PLUGINS).map(|gone| {
            let items = gone.items.iter().filter(|(key, stored)| missed(stored) && !is_there(&gone.store, key));
            (view(&gone.store, items.map(|(key, stored)| (key, stored))), true)
        }));
        for (news, deleted) in news.into_iter().filter(|(news, _)| !news.items.is_empty()) {
            self.send_joined(comer, Message::Store { news: Arc::new(news), deleted });
        }
    }

    /// These keys of a store, as far as they are there; all of them if none is named.
    pub fn store_get(&self, caller: &PeerId, store: &str, keys: &[String]) -> Result<StoreView, Refusal> {
        self.caller(caller)?;
        let held = self.live().and_then(|record| record.stores.get(store));
        let all = held.into_iter().flatten();
        let wanted: std::collections::BTreeSet<&String> = keys.iter().collect();
        let items = all.filter(|(key, _)| wanted.is_empty() || wanted.contains(key));
        Ok(StoreView { store: store.to_string(), items: items.map(|(key, stored)| (key.clone(), stored.clone())).collect() })
    }

    fn count_write(&mut self, caller: &PeerId) -> Result<(), Refusal> {
        self.take_rate(caller, Act::StoreWrite, 1)
    }
}

fn view<'a>(store: &str, items: impl Iterator<Item = (&'a String, &'a Stored)>) -> StoreView {
    StoreView { store: store.to_owned(), items: items.map(|(key, stored)| (key.clone(), stored.clone())).collect() }
}

fn check_name(store: &str) -> Result<(), Refusal> {
    if store.len() > MAX_STORE_NAME_BYTES { Err(Refusal::TooLarge) } else { Ok(()) }
}

fn is_key(key: &str) -> bool {
    key.len() <= MAX_STORE_KEY_BYTES
}

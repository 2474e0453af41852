//! The shared stores of service 2: writing, reading, deleting keys.
//! Invariant: a client that has not joined reads an empty store, because it must have an answer to start; what is in it
//! is told to those in the session only.
//! Next: `salon_core::session`, `stores.rs`.

use salon_core::Session;
use salon_core::event::StoreItem;
use salon_core::session::{Act, Refusal, StoreView};
use salon_wire::signaling::socket::plugin as wire;

use crate::signaling::caller::{Answer, Caller, answer};
use crate::signaling::trouble::Trouble;

/// Writes keys. A key without a value has the value `null`.
pub async fn insert(caller: &Caller, request: wire::PluginStoreInsertKeysRequest) -> Result<Answer, Trouble> {
    let item = |key: wire::StoreKeys| {
        let payload = key.payload.map_or_else(|| Ok("null".to_owned()), String::from_utf8);
        let payload = payload.map_err(|_| Trouble::Malformed("a value is not UTF-8"))?;
        Ok(StoreItem { key: key.store_key, payload })
    };
    let items = request.insert_keys.into_iter().map(item).collect::<Result<Vec<_>, Trouble>>()?;
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.store_set(now, &peer, &request.store_name, items)).await??;
    Ok(Answer::None)
}

/// Reads keys. Without an answer the client fails to start after 3 s, and it asks before it joins and again after (seen
/// in web SDK 2.0.2).
pub async fn get(caller: &Caller, request: wire::PluginStoreGetKeysRequest) -> Result<Answer, Trouble> {
    let keys: Vec<String> = request.get_keys.into_iter().map(|key| key.store_key).collect();
    let (peer, store) = (caller.peer.clone(), request.store_name.clone());
    let read = move |session: &mut Session, now| {
        session.ask(now, &peer, Act::StoreRead)?;
        session.store_get(&peer, &store, &keys)
    };
    let found = caller.handle.call(read).await?;
    let found = match found {
        Err(Refusal::NotJoined) => StoreView { store: request.store_name, items: Vec::new() },
        found => found?,
    };
    answer(&wire::PluginStoreResponse { plugin_id: request.plugin_id, ..response(&found, caller.meeting.as_str()) })
}

pub async fn delete_keys(caller: &Caller, request: wire::PluginStoreDeleteKeysRequest) -> Result<Answer, Trouble> {
    let keys = request.delete_keys.into_iter().map(|key| key.store_key).collect();
    delete_some(caller, request.store_name, Some(keys)).await
}

pub async fn delete(caller: &Caller, request: wire::PluginStoreDeleteRequest) -> Result<Answer, Trouble> {
    delete_some(caller, request.store_name, None).await
}

async fn delete_some(caller: &Caller, store: String, keys: Option<Vec<String>>) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.store_delete(now, &peer, &store, keys)).await??;
    Ok(Answer::None)
}

/// Items of a store; clients know the store by the meeting's id and its name.
pub fn response(view: &StoreView, meeting: &str) -> wire::PluginStoreResponse {
    let items = view.items.iter().map(|(key, stored)| wire::PluginStoreItem {
        timestamp: stored.at.0.to_string(),
        peer_id: stored.author.to_string(),
        store_key: key.clone(),
        payload: stored.payload.clone().into_bytes(),
    });
    wire::PluginStoreResponse { plugin_id: meeting.to_owned(), store_name: view.store.clone(), store_items: items.collect() }
}

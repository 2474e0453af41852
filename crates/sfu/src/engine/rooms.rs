//! Who is in which room.
//! Invariant: a room is there while someone is in it.

use std::collections::{HashMap, HashSet};

use super::key::Key;
use crate::RoomId;

/// Transports by room.
#[derive(Debug, Default)]
pub(crate) struct Rooms(HashMap<RoomId, HashSet<Key>>);

impl Rooms {
    pub(crate) fn enter(&mut self, room: &RoomId, transport: Key) {
        self.0.entry(room.clone()).or_default().insert(transport);
    }

    /// An empty room ceases to be.
    pub(crate) fn leave(&mut self, room: &RoomId, transport: Key) {
        if let Some(members) = self.0.get_mut(room) {
            members.remove(&transport);
            if members.is_empty() {
                self.0.remove(room);
            }
        }
    }

    pub(crate) fn members(&self, room: &RoomId) -> Vec<Key> {
        self.0.get(room).into_iter().flatten().copied().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

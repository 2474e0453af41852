//! Turns for changes that read a row, merge into it and write it back: two at once would lose one.
//! Saves tries on this node; that none is lost, here or between nodes, is the store's doing (its `edits.rs`).

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

/// Rows that share a turn with others wait for them; more turns make that rarer.
const TURNS: usize = 256;

/// The turns.
#[derive(Clone)]
pub struct Edits {
    hasher: RandomState,
    turns: Arc<[Mutex<()>; TURNS]>,
}

impl Edits {
    pub fn new() -> Self {
        Self { hasher: RandomState::new(), turns: Arc::new(std::array::from_fn(|_| Mutex::default())) }
    }

    /// Waits until no other change of this row is under way here.
    pub async fn turn(&self, id: &str) -> MutexGuard<'_, ()> {
        let turn = self.hasher.hash_one(id) as usize % TURNS;
        self.turns[turn].lock().await
    }
}

impl Default for Edits {
    fn default() -> Self {
        Self::new()
    }
}

//! Who may walk past the waiting room, reckoned from what hosts were told was done.
//! Like the ledger it hears what was acknowledged and reads no record.

use std::collections::{BTreeMap, BTreeSet};

/// The doors of one session.
#[derive(Debug, Default)]
pub struct Doors {
    /// People whom a host has let in since they were last put out.
    welcome: BTreeSet<usize>,
    /// When people were last put out.
    put_out: BTreeMap<usize, i64>,
}

impl Doors {
    pub fn let_in(&mut self, person: usize) {
        self.welcome.insert(person);
    }

    pub fn put_out(&mut self, now: i64, person: usize) {
        self.welcome.remove(&person);
        self.put_out.insert(person, now);
    }

    pub fn is_put_out(&self, person: usize) -> bool {
        self.put_out.contains_key(&person) && !self.welcome.contains(&person)
    }

    /// Somebody who has to wait for a host's word is in. `moved` is when they were moved here, if they were.
    pub fn came_in(&mut self, person: usize, moved: Option<i64>) {
        let put_out = self.put_out.get(&person);
        let by_ticket = moved.is_some_and(|moved| put_out.is_none_or(|out| moved > *out));
        assert!(by_ticket || self.welcome.contains(&person), "person {person} walked in past the waiting room: {self:?}");
        self.welcome.insert(person);
    }
}

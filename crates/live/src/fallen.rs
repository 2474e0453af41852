//! The sessions this node has let go of and has to go on with: their claim or their task was lost, not their people.
//! Invariant: whoever lets go of a session that may be this run's still puts it here; it leaves when it is open again, or
//! another's.
//! Next: `keeper.rs` brings them back.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use salon_core::session::MeetingFacts;
use salon_core::{MeetingId, Timestamp};

#[derive(Default)]
pub(crate) struct Fallen {
    sessions: Mutex<HashMap<MeetingId, Fall>>,
    /// Live sessions whose record cannot be read.
    unreadable: Mutex<HashSet<MeetingId>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Fall {
    pub facts: MeetingFacts,
    /// When it was let go of, by its own time: its people were seen until then.
    pub at: Timestamp,
}

impl Fallen {
    fn sessions(&self) -> MutexGuard<'_, HashMap<MeetingId, Fall>> {
        self.sessions.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// One that fell before and was not brought back since fell then.
    pub fn add(&self, facts: MeetingFacts, at: Timestamp) {
        self.sessions().entry(facts.meeting.clone()).or_insert(Fall { facts, at });
    }

    pub fn all(&self) -> Vec<Fall> {
        self.sessions().values().cloned().collect()
    }

    pub fn get(&self, meeting: &str) -> Option<Fall> {
        self.sessions().get(meeting).cloned()
    }

    pub fn remove(&self, meeting: &str) {
        self.sessions().remove(meeting);
    }

    /// Nothing may be told of a meeting's session: it lives, and this node does not know it.
    pub fn hides(&self, meeting: &str) -> bool {
        self.sessions().contains_key(meeting) || self.unreadable().contains(meeting)
    }

    fn unreadable(&self) -> MutexGuard<'_, HashSet<MeetingId>> {
        self.unreadable.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// False if that is known already.
    pub fn is_unreadable(&self, meeting: &MeetingId) -> bool {
        self.remove(meeting.as_str());
        self.unreadable().insert(meeting.clone())
    }

    /// It could be read, or is over.
    pub fn is_readable(&self, meeting: &str) {
        self.unreadable().remove(meeting);
    }

    /// Meetings that have a live session without an owner now: of others nothing need be hidden.
    pub fn unreadable_are_among(&self, live: &HashSet<MeetingId>) {
        self.unreadable().retain(|meeting| live.contains(meeting));
    }
}

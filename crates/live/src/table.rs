//! The map from meeting to the task that runs its session.
//! Invariant: a meeting has at most one task here.

use std::collections::HashMap;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use salon_core::{AppId, MeetingId};

use crate::answer::Live;
use crate::inbox::{Handle, Published};

#[derive(Default)]
pub(crate) struct Table(RwLock<HashMap<MeetingId, Handle>>);

impl Table {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<MeetingId, Handle>> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<MeetingId, Handle>> {
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn find(&self, meeting: &str) -> Option<Handle> {
        self.read().get(meeting).cloned()
    }

    /// The live answer about a meeting, as of its last change, if its session is here.
    pub fn live(&self, meeting: &str) -> Option<Arc<Live>> {
        self.read().get(meeting)?.live.live()
    }

    /// Puts a task on the map. `Err` with the one that is there already.
    pub fn insert(&self, meeting: &MeetingId, handle: &Handle) -> Result<(), Handle> {
        let mut live = self.write();
        if let Some(there) = live.get(meeting) {
            return Err(there.clone());
        }
        live.insert(meeting.clone(), handle.clone());
        Ok(())
    }

    /// Forgets a task that has nothing left to do, unless somebody holds a handle to it.
    pub fn retire(&self, meeting: &MeetingId) -> bool {
        let mut live = self.write();
        let unused = live.get(meeting).is_some_and(|handle| handle.inbox.strong_count() == 1);
        if unused {
            live.remove(meeting);
        }
        unused
    }

    /// Takes this very task off the map, so that the next comer begins anew from the record.
    pub fn remove(&self, meeting: &MeetingId, published: &Arc<Published>) {
        let mut live = self.write();
        if live.get(meeting).is_some_and(|handle| Arc::ptr_eq(&handle.live, published)) {
            live.remove(meeting);
        }
    }

    pub fn all(&self) -> Vec<Handle> {
        self.read().values().cloned().collect()
    }

    /// The live answers about all sessions of an app.
    pub fn all_live(&self, app: &AppId) -> Vec<Arc<Live>> {
        self.read().values().filter_map(|handle| handle.live.live().filter(|live| live.app() == app)).collect()
    }

    pub fn clear(&self) {
        self.write().clear();
    }

    /// Live sessions and the peers in them.
    pub fn census(&self) -> (usize, u64) {
        let live = self.read();
        let answers = live.values().filter_map(|handle| handle.live.live());
        answers.fold((0, 0), |(sessions, peers), live| (sessions + 1, peers + u64::from(live.peers())))
    }
}

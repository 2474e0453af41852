//! What of a session is being recorded.
//! Invariant: a recording is here from when it was asked for until its last moment is recorded; its files are another matter.
//! Next: `session/recordings.rs`, who may have what recorded, and when that is over.

use std::collections::BTreeMap;

use crate::event::{RecordedBy, RecordingEnd, RecordingInvoked, RecordingKind};
use crate::ids::RecordingId;
use crate::time::Timestamp;

/// The recordings that are not over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recordings {
    active: BTreeMap<RecordingId, Recording>,
    /// The meeting had this from the start on, if it wants it: it does not begin another.
    recorded_by_meeting: bool,
    streamed_by_meeting: bool,
    was_streamed: bool,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub asked: RecordingInvoked,
    pub state: RecordingState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordingState {
    /// Asked for, and not running yet.
    Starting {
        since: Timestamp,
    },
    Running {
        since: Timestamp,
    },
    Paused {
        since: Timestamp,
    },
    /// It is to stop, and has not been heard to have.
    Stopping {
        since: Timestamp,
        why: RecordingEnd,
    },
}

impl Recordings {
    pub fn get(&self, id: &RecordingId) -> Option<&Recording> {
        self.active.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Recording> {
        self.active.values()
    }

    pub fn len(&self) -> usize {
        self.active.len()
    }

    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Whether the meeting had itself recorded, or streamed, in this session, whatever became of that.
    pub fn begun_by_meeting(&self, kind: RecordingKind) -> bool {
        match kind {
            RecordingKind::Livestream => self.streamed_by_meeting,
            RecordingKind::Composite | RecordingKind::Track => self.recorded_by_meeting,
        }
    }

    /// Whether there is a livestream, or was.
    pub fn was_streamed(&self) -> bool {
        self.was_streamed
    }

    pub(super) fn invoke(&mut self, asked: &RecordingInvoked, at: Timestamp) {
        self.was_streamed |= asked.kind == RecordingKind::Livestream;
        let begun = match asked.kind {
            RecordingKind::Livestream => &mut self.streamed_by_meeting,
            RecordingKind::Composite | RecordingKind::Track => &mut self.recorded_by_meeting,
        };
        *begun |= asked.by == RecordedBy::Meeting;
        let new = Recording { asked: asked.clone(), state: RecordingState::Starting { since: at } };
        self.active.insert(asked.recording.clone(), new);
    }

    pub(super) fn begin(&mut self, id: &RecordingId, at: Timestamp) {
        if let Some(found) = self.active.get_mut(id) {
            found.state = RecordingState::Running { since: at };
        }
    }

    pub(super) fn pause(&mut self, id: &RecordingId, paused: bool) {
        let Some(found) = self.active.get_mut(id) else { return };
        found.state = match found.state {
            RecordingState::Running { since } | RecordingState::Paused { since } if paused => RecordingState::Paused { since },
            RecordingState::Running { since } | RecordingState::Paused { since } => RecordingState::Running { since },
            _ => return,
        };
    }

    pub(super) fn stopping(&mut self, id: &RecordingId, why: &RecordingEnd, at: Timestamp) {
        if let Some(found) = self.active.get_mut(id) {
            found.state = RecordingState::Stopping { since: at, why: why.clone() };
        }
    }

    pub(super) fn stop(&mut self, id: &RecordingId) {
        self.active.remove(id);
    }
}

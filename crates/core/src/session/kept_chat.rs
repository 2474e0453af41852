//! The chat of a meeting that outlives its sessions (`persist_chat`): each session begins with what could be read last
//! in the one before, as events of its own, so that its record alone says all that its people may read.
//! Invariant: parties and authors are participants, who last, so that what was private stays so and what was somebody's
//! is still theirs. What is changed here changes here: the record of the session before is closed.
//! Next: `chat.rs`, which treats these messages like any other.

use crate::event::EventBody;
use crate::session::{EarlierChat, Session};
use crate::time::Timestamp;

impl Session {
    /// What was said in the last session of this meeting; the default if there was none. Needed when a join was
    /// answered with `NeedsEarlierChat`, and forgotten if it is not.
    pub fn bring_earlier_chat(&mut self, earlier: EarlierChat) {
        self.earlier_chat = Some(earlier);
    }

    /// What a session that begins now goes on with; `None` if that must be looked up first.
    pub(super) fn take_earlier_chat(&mut self) -> Option<EarlierChat> {
        if self.live().is_some() || !self.facts.persist_chat {
            self.earlier_chat = None;
            return Some(EarlierChat::default());
        }
        // A whole session may have passed since it was looked up.
        let last = self.record.as_ref().map_or(Timestamp::default(), |record| record.started.started_at);
        self.earlier_chat.take().filter(|earlier| earlier.begun_at >= last)
    }

    pub(super) fn keep_chat(&mut self, earlier: EarlierChat) {
        for message in earlier.messages {
            self.emit(EventBody::ChatKept(message));
        }
    }
}

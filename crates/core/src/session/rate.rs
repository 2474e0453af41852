//! How often something may be done: at most so many times within any span of time.
//! Invariant: what is held is at most as many moments as the limits allow, of those who did something lately.
//! A limit is a participant's: people with several tabs share it, and a reconnect does not begin it anew.
//! Next: `limits.rs` for the numbers.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::ParticipantId;
use crate::limits::{
    BROADCASTS_PER_SECOND, CHAT_FILES_PER_MINUTE, CHAT_TEXTS_PER_MINUTE, CONNECTED_CHANGES_PER_MINUTE,
    CONNECTED_LISTS_PER_MINUTE, LISTINGS_PER_MINUTE, PERMISSION_CHANGES_PER_MINUTE, PERMISSION_READS_PER_MINUTE,
    STORE_WRITES_PER_SECOND, UPLOADS_PER_MINUTE,
};
use crate::session::refusal::Refusal;
use crate::time::Timestamp;

/// When something was done, as far back as its limit looks.
#[derive(Debug, Default)]
struct Rate {
    done: VecDeque<Timestamp>,
}

impl Rate {
    /// Counts so many more now; `TooOften`, and none counted, if that makes more than `most` within the last `within_ms`.
    fn take(&mut self, now: Timestamp, times: usize, most: usize, within_ms: i64) -> Result<(), Refusal> {
        while self.done.front().is_some_and(|at| now.since(*at) >= within_ms) {
            self.done.pop_front();
        }
        if self.done.len() + times > most {
            return Err(Refusal::TooOften);
        }
        self.done.extend(std::iter::repeat_n(now, times));
        Ok(())
    }

    /// Whether nothing was done within the last `within_ms`.
    fn is_over(&self, now: Timestamp, within_ms: i64) -> bool {
        self.done.back().is_none_or(|at| now.since(*at) >= within_ms)
    }
}

/// What participants may do so and so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limited {
    Broadcast,
    StoreWrite,
    /// Texts and custom messages of the chat, and changes of any message.
    ChatText,
    /// Images and files in the chat.
    ChatFile,
    /// Leave to upload a file.
    Upload,
    /// Asking for the list of those who are here.
    Listing,
    /// Asking for the connected meetings.
    ConnectedList,
    /// Making, deleting or moving between connected meetings.
    ConnectedChange,
    /// One person's permissions, changed.
    PermissionChange,
    /// One person's permissions, read.
    PermissionRead,
}

impl Limited {
    /// How many, within how many milliseconds.
    fn limit(self) -> (usize, i64) {
        match self {
            Limited::Broadcast => (BROADCASTS_PER_SECOND, 1_000),
            Limited::StoreWrite => (STORE_WRITES_PER_SECOND, 1_000),
            Limited::ChatText => (CHAT_TEXTS_PER_MINUTE, 60_000),
            Limited::ChatFile => (CHAT_FILES_PER_MINUTE, 60_000),
            Limited::Upload => (UPLOADS_PER_MINUTE, 60_000),
            Limited::Listing => (LISTINGS_PER_MINUTE, 60_000),
            Limited::ConnectedList => (CONNECTED_LISTS_PER_MINUTE, 60_000),
            Limited::ConnectedChange => (CONNECTED_CHANGES_PER_MINUTE, 60_000),
            Limited::PermissionChange => (PERMISSION_CHANGES_PER_MINUTE, 60_000),
            Limited::PermissionRead => (PERMISSION_READS_PER_MINUTE, 60_000),
        }
    }
}

/// Who did what of late.
#[derive(Debug, Default)]
pub(super) struct Rates(BTreeMap<(ParticipantId, Limited), Rate>);

impl Rates {
    pub fn take(&mut self, now: Timestamp, who: &ParticipantId, what: Limited, times: usize) -> Result<(), Refusal> {
        let key = (who.clone(), what);
        if !self.0.contains_key(&key) {
            self.0.retain(|(_, what), rate| !rate.is_over(now, what.limit().1));
        }
        let (most, within_ms) = what.limit();
        self.0.entry(key).or_default().take(now, times, most, within_ms)
    }
}

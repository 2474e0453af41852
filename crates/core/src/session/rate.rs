//! How often something may be done: at most so many times within any span of time, for each thing that people do.
//! Invariant: everything a participant may ask of a session is an `Act` with a rate. A rate is a participant's: people
//! with several tabs share it, and a reconnect does not begin it anew.
//! What is held is at most as many moments as the limits allow, of those who did something lately.
//! Next: `limits.rs` for the numbers.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::ParticipantId;
use crate::limits::*;
use crate::session::refusal::Refusal;
use crate::time::Timestamp;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;

/// What becomes of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An event, at least now and then: refused when the record is full.
    Written,
    /// Something is told or read; nothing of it stays.
    Passing,
}
use Kind::{Passing, Written};

macro_rules! acts {
    ($($(#[$doc:meta])* $act:ident: $most:expr, $within:ident, $kind:ident;)*) => {
        /// What participants may do so and so often.
        ///
        /// Of two that undo each other the one that begins something is here: the other can happen no more often, and
        /// falling silent, stepping down or leaving is never refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Act {
            $($(#[$doc])* $act,)*
        }

        impl Act {
            pub const ALL: &[Act] = &[$(Act::$act),*];

            /// How many, within how many milliseconds, and what becomes of it.
            fn row(self) -> (usize, i64, Kind) {
                match self {
                    $(Act::$act => ($most, $within, $kind),)*
                }
            }
        }
    };
}

acts! {
    /// Coming in, coming back, asking again while waiting.
    Join: JOINS_PER_MINUTE, MINUTE, Written;
    /// Asking what meeting this is, or about one person.
    Look: LOOKS_PER_MINUTE, MINUTE, Passing;
    /// Asking for the list of those who are here, of those who wait, or of those who ask for the stage.
    Listing: LISTINGS_PER_MINUTE, MINUTE, Passing;
    HostListing: HOST_LISTINGS_PER_MINUTE, MINUTE, Passing;
    /// Giving somebody a name.
    Rename: RENAMES_PER_MINUTE, MINUTE, Written;
    Broadcast: BROADCASTS_PER_SECOND, SECOND, Passing;
    /// Having one's media ready, with which it begins anew.
    MediaJoin: MEDIA_JOINS_PER_MINUTE, MINUTE, Written;
    /// Opening a media connection.
    MediaConnect: MEDIA_CONNECTS_PER_MINUTE, MINUTE, Passing;
    /// A new track.
    Publish: PUBLISHED_PER_MINUTE, MINUTE, Written;
    /// Switching a track on again.
    Resume: RESUMED_PER_MINUTE, MINUTE, Written;
    /// Asking for the tracks of others, describing or ending them, choosing their sizes.
    Subscribe: SUBSCRIBED_PER_MINUTE, MINUTE, Passing;
    /// Asking for the stage, and stepping on it.
    StageRequest: STAGE_REQUESTS_PER_MINUTE, MINUTE, Written;
    StageJoin: STAGE_REQUESTS_PER_MINUTE, MINUTE, Written;
    /// What hosts do for others: letting in, deciding on the stage, pinning.
    Host: HOST_ACTS_PER_MINUTE, MINUTE, Written;
    /// What hosts do against others: turning away, muting, removing. A full record is no reason against it.
    Remove: HOST_ACTS_PER_MINUTE, MINUTE, Passing;
    StoreWrite: STORE_WRITES_PER_SECOND, SECOND, Written;
    StoreRead: STORE_READS_PER_MINUTE, MINUTE, Passing;
    /// Texts and custom messages of the chat, and changes of any message.
    ChatText: CHAT_TEXTS_PER_MINUTE, MINUTE, Written;
    /// Images and files in the chat.
    ChatFile: CHAT_FILES_PER_MINUTE, MINUTE, Written;
    /// A page of the chat, up to [`CHAT_HISTORY_BYTES`].
    ChatRead: CHAT_READS_PER_MINUTE, MINUTE, Passing;
    /// Leave to upload a file.
    Upload: UPLOADS_PER_MINUTE, MINUTE, Passing;
    PollCreate: POLLS_PER_MINUTE, MINUTE, Written;
    Vote: VOTES_PER_MINUTE, MINUTE, Written;
    PollRead: POLL_READS_PER_MINUTE, MINUTE, Passing;
    /// Asking for the connected meetings.
    ConnectedList: CONNECTED_LISTS_PER_MINUTE, MINUTE, Passing;
    /// Making, deleting or moving between connected meetings.
    ConnectedChange: CONNECTED_CHANGES_PER_MINUTE, MINUTE, Passing;
    /// Having something recorded, or no more.
    Record: RECORDING_ACTS_PER_MINUTE, MINUTE, Written;
    /// One person's permissions, changed.
    PermissionChange: PERMISSION_CHANGES_PER_MINUTE, MINUTE, Written;
    /// One person's permissions, read.
    PermissionRead: PERMISSION_READS_PER_MINUTE, MINUTE, Passing;
}

impl Act {
    /// How many, within how many milliseconds.
    pub fn limit(self) -> (usize, i64) {
        let (most, within_ms, _) = self.row();
        (most, within_ms)
    }

    /// Whether the record grows with it.
    pub fn is_written(self) -> bool {
        self.row().2 == Written
    }
}

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

/// Who did what of late, and how much was ever written for each.
#[derive(Debug, Default)]
pub(super) struct Rates {
    lately: BTreeMap<(ParticipantId, Act), Rate>,
    /// Those of long ago are dropped when there are so many: the work grows with what is done, not with its square.
    sweep_at: usize,
    written: BTreeMap<ParticipantId, usize>,
}

/// The fewest that are worth a sweep.
const SWEEP_AT_LEAST: usize = 64;

impl Rates {
    pub fn take(&mut self, now: Timestamp, who: &ParticipantId, act: Act, times: usize) -> Result<(), Refusal> {
        let (most, within_ms) = act.limit();
        if self.lately.len() >= self.sweep_at.max(SWEEP_AT_LEAST) {
            self.lately.retain(|(_, act), rate| !rate.is_over(now, act.limit().1));
            self.sweep_at = self.lately.len() * 2;
        }
        self.lately.entry((who.clone(), act)).or_default().take(now, times, most, within_ms)?;
        if act.is_written() {
            *self.written.entry(who.clone()).or_default() += times;
        }
        Ok(())
    }

    /// How much was written for a participant since the session began, or its server did.
    pub fn written(&self, who: &ParticipantId) -> usize {
        self.written.get(who).copied().unwrap_or(0)
    }

    pub fn forget_written(&mut self) {
        self.written.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: usize) -> ParticipantId {
        ParticipantId::parse(&format!("p{n}")).expect("an id")
    }

    #[test]
    fn who_did_nothing_of_late_is_forgotten_and_who_did_is_not() {
        let mut rates = Rates::default();
        let (most, within_ms) = Act::Rename.limit();
        let begin = Timestamp(1_000_000);
        for n in 0..SWEEP_AT_LEAST - 1 {
            assert_eq!(rates.take(begin, &person(n), Act::Rename, 1), Ok(()));
        }
        let later = begin.plus_ms(within_ms - 1);
        assert_eq!(rates.take(later, &person(999), Act::Rename, most), Ok(()));
        let over = begin.plus_ms(within_ms);
        assert_eq!(rates.take(over, &person(1_000), Act::Rename, 1), Ok(()));
        assert_eq!(rates.lately.len(), 2, "those of a minute ago are gone");
        assert_eq!(rates.take(over, &person(999), Act::Rename, 1), Err(Refusal::TooOften), "and it has done what it may");
    }
}

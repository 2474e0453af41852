//! What is left of jobs that nobody sees to: their node is gone, or was called otherwise, or their begin was cut off.
//! Invariant: whatever runs or is under way is over some day, whichever node does not come back.

use salon_core::Timestamp;
use salon_store::DAY_MS;

/// What is told of one whose node has not come back.
pub const GIVEN_UP: &str = "its node has not come back";

/// A job that was asked for so long ago has one who sees to it, in milliseconds.
const BEGUN_WITHIN_MS: i64 = 60_000;

/// A recording goes on for a day at most, and a node has another day to come back with its files.
const GIVEN_UP_MS: i64 = 2 * DAY_MS;

/// Whether somebody sees to a job by now that was asked for at this moment, if ever anybody will.
pub fn is_stranded(now: Timestamp, asked_at: Timestamp) -> bool {
    now.since(asked_at) > BEGUN_WITHIN_MS
}

/// Whether a job that was asked for at this moment is waited for no more, its node being away.
pub fn is_given_up(now: Timestamp, asked_at: Timestamp) -> bool {
    now.since(asked_at) > GIVEN_UP_MS
}

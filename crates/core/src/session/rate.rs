//! How often something may be done: at most so many times within any span of time.
//! Invariant: what is held is at most as many moments as the limit allows.
//! Next: `broadcast.rs`, `chat.rs` and `stores.rs`, which have such limits.

use std::collections::VecDeque;

use crate::session::Refusal;
use crate::time::Timestamp;

/// When something was done, as far back as its limit looks.
#[derive(Debug, Default)]
pub(super) struct Rate {
    done: VecDeque<Timestamp>,
}

impl Rate {
    /// Counts one more now; `TooOften`, and not counted, if `most` were within the last `within_ms`.
    pub fn take(&mut self, now: Timestamp, most: usize, within_ms: i64) -> Result<(), Refusal> {
        while self.done.front().is_some_and(|at| now.since(*at) >= within_ms) {
            self.done.pop_front();
        }
        if self.done.len() >= most {
            return Err(Refusal::TooOften);
        }
        self.done.push_back(now);
        Ok(())
    }

    /// Whether nothing was done within the last `within_ms`.
    pub fn is_over(&self, now: Timestamp, within_ms: i64) -> bool {
        self.done.back().is_none_or(|at| now.since(*at) >= within_ms)
    }
}

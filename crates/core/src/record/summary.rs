//! The answer about a session, small enough to hand to every reader.
//! Owns the arithmetic of counts and minutes; the record keeps the sums that go into it.
//! Invariant: a later moment never gives less, and no event makes what was answered up to it shrink.
//! Next: `tests.rs`.

use crate::ids::{AppId, MeetingId, SessionId};
use crate::time::Timestamp;

/// What `active-session` answers, as of the last event; minutes at any later moment are arithmetic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub session: SessionId,
    pub meeting: MeetingId,
    pub app: AppId,
    /// Of a connected meeting: the session of its parent that was live when this one began.
    pub parent_session: Option<SessionId>,
    pub title: String,
    /// Number of the last event of which it tells.
    pub seq: u64,
    pub keep_alive_ms: i64,
    pub started_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Connected, admitted, visible peers.
    pub live: u32,
    pub max_concurrent: u32,
    /// Peers that counted at any time.
    pub participants: u32,
    /// Milliseconds of all stays that do not grow now: finished ones, and broken ones up to where they were seen.
    pub settled_ms: i64,
    /// Sum of the moments since which the live peers are here, so that `live * now - live_since_ms` is their time.
    pub live_since_ms: i64,
}

impl Summary {
    /// Participant-milliseconds from the start up to `now`. A reader whose clock is behind the session's gets the
    /// answer as of the last event, not less.
    pub fn consumed_ms(&self, now: Timestamp) -> i64 {
        let now = now.max(self.updated_at);
        let growing = i64::from(self.live).saturating_mul(now.0).saturating_sub(self.live_since_ms);
        self.settled_ms.saturating_add(growing.max(0))
    }

    /// Participant-minutes with fractions, the wire's `minutes_consumed`.
    pub fn minutes_consumed(&self, now: Timestamp) -> f64 {
        self.consumed_ms(now) as f64 / 60_000.0
    }
}

/// What one peer adds to a [`Summary`], and what all of them add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Share {
    pub live: u32,
    pub participants: u32,
    pub settled_ms: i64,
    pub live_since_ms: i64,
}

impl Share {
    /// Takes `old` out of the sum and puts `new` in.
    pub fn exchange(&mut self, old: Share, new: Share) {
        self.live = self.live - old.live + new.live;
        self.participants = self.participants - old.participants + new.participants;
        self.settled_ms += new.settled_ms - old.settled_ms;
        self.live_since_ms += new.live_since_ms - old.live_since_ms;
    }
}

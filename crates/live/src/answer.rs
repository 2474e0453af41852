//! The live answer about a session: a published copy as of its last change; any later moment is arithmetic.
//! Owns what was told of each session, which outlives the task that told it.
//! Invariant: minutes are told with both proofs, and never fewer than were told before.
//! Next: `Summary` in `salon_core::record`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use salon_core::{AppId, SessionId, Summary, Timestamp};

use crate::alive::Told;
use crate::clock::OUTAGE_MS;
use crate::lease::Held;

/// How old a copy may be while a newer one cannot be saved. After that it is not told any more: those it counts may be gone.
const UNSAVED_MS: i64 = 2_000;

/// Nothing waits to be saved.
const SAVED: i64 = i64::MAX;

/// The most participant-milliseconds that were ever told of each session. While a departure is being saved readers still
/// count its peer up to their own moment, and a task that is let go of takes its copy with it: what was told must not
/// shrink when either shows.
#[derive(Default)]
pub struct ToldOf(Mutex<HashMap<SessionId, Arc<AtomicI64>>>);

impl ToldOf {
    fn of(&self, session: &SessionId) -> Arc<AtomicI64> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).entry(session.clone()).or_default().clone()
    }

    /// Forgets those that nobody shows any more.
    pub fn forget_idle(&self) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).retain(|_, told| Arc::strong_count(told) > 1);
    }
}

/// What a session's task shows its readers.
pub struct Live {
    summary: Summary,
    /// How much the session's own time is ahead of the node's clock: a faster clock has recorded it.
    ahead_ms: i64,
    told_ms: Arc<AtomicI64>,
    /// Since when a newer copy waits to be saved.
    unsaved_since: Arc<AtomicI64>,
    /// When the store was last asked whether meetings were connected with this one on other nodes.
    family_asked_at: Arc<AtomicI64>,
}

impl Live {
    /// The answer after a change, with what was told before it if it is still the same session.
    pub fn after(before: Option<&Live>, summary: Summary, ahead_ms: i64, told: &ToldOf) -> Self {
        match before.filter(|before| before.summary.session == summary.session) {
            Some(before) => Self {
                summary,
                ahead_ms,
                told_ms: before.told_ms.clone(),
                unsaved_since: before.unsaved_since.clone(),
                family_asked_at: before.family_asked_at.clone(),
            },
            None => Self {
                told_ms: told.of(&summary.session),
                summary,
                ahead_ms,
                unsaved_since: Arc::new(AtomicI64::new(SAVED)),
                family_asked_at: Arc::default(),
            },
        }
    }

    /// A newer copy is on its way to the store.
    pub fn saving(&self, now: Timestamp) {
        self.unsaved_since.store(now.0, Ordering::Relaxed);
    }

    /// Whatever was on its way is there.
    pub fn saved(&self) {
        self.unsaved_since.store(SAVED, Ordering::Relaxed);
    }

    pub(crate) fn session(&self) -> &SessionId {
        &self.summary.session
    }

    pub(crate) fn began(&self) -> Timestamp {
        self.summary.started_at
    }

    pub(crate) fn app(&self) -> &AppId {
        &self.summary.app
    }

    pub(crate) fn peers(&self) -> u32 {
        self.summary.live
    }

    fn is_old(&self, now: Timestamp) -> bool {
        now.0.saturating_sub(self.unsaved_since.load(Ordering::Relaxed)) > UNSAVED_MS
    }

    /// Such a session goes by moments that nobody may take for the node's own.
    fn is_far_ahead(&self) -> bool {
        self.ahead_ms > OUTAGE_MS
    }
}

/// A live answer of which this node is the owner at this moment.
pub struct Reading {
    live: Arc<Live>,
    held: Held,
}

impl Reading {
    /// None if the copy is too old to be told.
    pub fn new(live: Arc<Live>, held: Held, now: Timestamp) -> Option<Self> {
        (!live.is_old(now)).then_some(Self { live, held })
    }

    pub fn session(&self) -> &SessionId {
        &self.live.summary.session
    }

    pub fn app(&self) -> &AppId {
        &self.live.summary.app
    }

    /// Number of the last event of which it tells.
    pub fn seq(&self) -> u64 {
        self.live.summary.seq
    }

    /// The moment to be written down for it to be told: not before what it already holds, and not after what the claim
    /// vouches for. Where others count as well, a session that is a little ahead of this node's clock stands still until that
    /// is there: they know this node's clock and not the session's.
    pub fn at(&self, now: Timestamp) -> Timestamp {
        let ahead_ms = if self.held.is_alone() { self.live.ahead_ms } else { 0 };
        let now = now.min(self.held.vouched());
        if self.live.is_far_ahead() { now } else { now.plus_ms(ahead_ms).max(self.live.summary.updated_at) }
    }

    /// What may be told but for the minutes, which are as of a moment.
    pub fn summary(&self, _told: &Told) -> &Summary {
        &self.live.summary
    }

    /// What may be told, and the participant-minutes up to that moment.
    pub fn tell(&self, told: &Told) -> (&Summary, f64) {
        (&self.live.summary, self.minutes(&self.live.summary, told))
    }

    /// The participant-minutes up to that moment by a summary of this session that may be a few events older.
    pub fn minutes(&self, summary: &Summary, told: &Told) -> f64 {
        let at = match self.live.is_far_ahead() {
            true if self.held.is_alone() => told.at().plus_ms(self.live.ahead_ms),
            // Whoever takes it over knows its last event, and not how far this node's clock is off.
            true => self.live.summary.updated_at,
            false => told.at(),
        };
        let ms = summary.consumed_ms(at);
        let before = self.live.told_ms.fetch_max(ms, Ordering::Relaxed);
        ms.max(before) as f64 / 60_000.0
    }

    /// Whether it is time to ask whether other nodes have connected meetings with this one: at most once in `every_ms`.
    pub fn takes_family_question(&self, now: Timestamp, every_ms: i64) -> bool {
        let asked_at = &self.live.family_asked_at;
        let before = asked_at.load(Ordering::Relaxed);
        let due = now.0.saturating_sub(before) >= every_ms;
        due && asked_at.compare_exchange(before, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

//! The live answer about a session: a published copy as of its last change; any later moment is arithmetic.
//! Owns what was told of each session, which outlives the task that told it.
//! Invariant: minutes are told with both proofs, and never fewer than were told before.
//! Next: `Summary` in `salon_core::record`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use salon_core::{AppId, SessionId, Summary, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::alive::Told;
use crate::clock::OUTAGE_MS;
use crate::lease::Held;

/// How old a copy may be while a newer one cannot be saved. After that it is not told any more: those it counts may be gone.
const UNSAVED_MS: i64 = 2_000;

/// Nothing waits to be saved.
const SAVED: i64 = i64::MAX;

/// The most participant-milliseconds that were ever told of each session. A task that is let go of takes its copy with it: what
/// was told must not shrink when the next one shows.
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
    /// How many wait to be let in, which is in no event.
    waiting: Arc<AtomicU64>,
    /// When the store was last asked whether meetings were connected with this one on other nodes.
    family_asked_at: Arc<AtomicI64>,
    /// Cancelled when the node gives the session up: nothing is told of it from then on, though its task may take a moment to end. To
    /// be said before the claim holds again.
    let_go: CancellationToken,
}

impl Live {
    /// The answer after a change, with what was told before it if it is still the same session; until `let_go` is cancelled.
    pub fn after(before: Option<&Live>, summary: Summary, ahead_ms: i64, told: &ToldOf, let_go: &CancellationToken) -> Self {
        match before.filter(|before| before.summary.session == summary.session) {
            Some(before) => Self {
                summary,
                ahead_ms,
                told_ms: before.told_ms.clone(),
                unsaved_since: before.unsaved_since.clone(),
                waiting: before.waiting.clone(),
                family_asked_at: before.family_asked_at.clone(),
                let_go: let_go.clone(),
            },
            None => Self {
                told_ms: told.of(&summary.session),
                summary,
                ahead_ms,
                unsaved_since: Arc::new(AtomicI64::new(SAVED)),
                waiting: Arc::default(),
                family_asked_at: Arc::default(),
                let_go: let_go.clone(),
            },
        }
    }

    /// From now on something may happen that is on its way to the store. Until it is there nobody is counted beyond this moment:
    /// somebody may have left by then, as the next owner finds if this one dies before it hears that it was stored. To be said
    /// before the clock is read for whatever happens.
    pub fn saving(&self, now: Timestamp) {
        self.unsaved_since.store(now.0, Ordering::SeqCst);
    }

    /// Whatever was on its way is there.
    pub fn saved(&self) {
        self.unsaved_since.store(SAVED, Ordering::SeqCst);
    }

    /// So many wait to be let in now.
    pub(crate) fn waits(&self, count: usize) {
        self.waiting.store(count as u64, Ordering::Relaxed);
    }

    fn unsaved_since(&self) -> Timestamp {
        Timestamp(self.unsaved_since.load(Ordering::SeqCst))
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
        now.since(self.unsaved_since()) > UNSAVED_MS
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
    /// None if the copy is too old to be told, or of a session that is given up. That is looked at last: what others had taken over
    /// was given up before the claim that is proven held again.
    pub fn new(live: Arc<Live>, held: Held, now: Timestamp) -> Option<Self> {
        let may_be_told = !live.is_old(now) && !live.let_go.is_cancelled();
        may_be_told.then_some(Self { live, held })
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

    /// How many wait to be let in: of this moment, and not of the record.
    pub fn waiting(&self) -> u64 {
        self.live.waiting.load(Ordering::Relaxed)
    }

    /// The moment to be written down for it to be told: not before what it already holds, and not after what the claim
    /// vouches for, nor after something began to be saved. Where others count as well, a session that is a little ahead of this node's clock stands still until that
    /// is there: they know this node's clock and not the session's.
    pub fn at(&self, now: Timestamp) -> Timestamp {
        let ahead_ms = if self.held.is_alone() { self.live.ahead_ms } else { 0 };
        let now = now.min(self.held.vouched()).min(self.live.unsaved_since());
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

#[cfg(test)]
mod tests {
    use salon_core::limits::Limits;
    use salon_core::session::{Join, MeetingFacts};
    use salon_core::{MeetingId, ParticipantId, PeerId, Preset, PresetId, Session};

    use super::*;
    use crate::clock::SinceBoot;
    use crate::lease::Lease;

    /// Somebody came at second 1.
    fn summary() -> Summary {
        let facts = MeetingFacts {
            meeting: MeetingId::parse("m").unwrap(),
            app: AppId::parse("a").unwrap(),
            title: String::new(),
            keep_alive_ms: 60_000,
            persist_chat: false,
            parent: None,
        };
        let mut session = Session::new(facts, Limits::default());
        let join = Join {
            peer: PeerId::parse("p").unwrap(),
            participant: ParticipantId::parse("q").unwrap(),
            custom_participant_id: String::new(),
            name: String::new(),
            wanted_name: None,
            picture: None,
            preset: Preset::named(PresetId::parse("r").unwrap(), "preset"),
            meeting_active: true,
            origin: None,
            let_in: None,
            flowing: Vec::new(),
            fresh_session: SessionId::parse("s").unwrap(),
        };
        assert!(session.join(Timestamp(1_000), join).is_ok());
        session.summary().expect("it has begun")
    }

    /// Whoever is on their way out may be recorded as gone already.
    #[test]
    fn nobody_is_counted_beyond_the_moment_at_which_something_began_to_be_saved() {
        let (lease, told) = (Lease::alone(), ToldOf::default());
        let live = Arc::new(Live::after(None, summary(), 0, &told, &CancellationToken::new()));
        let at = |now| {
            let held = lease.holds(SinceBoot(0)).expect("it is alone");
            Reading::new(live.clone(), held, Timestamp(now)).map(|reading| reading.at(Timestamp(now)).0)
        };
        assert_eq!(at(5_000), Some(5_000));
        live.saving(Timestamp(6_000));
        assert_eq!((at(5_900), at(6_001), at(8_000)), (Some(5_900), Some(6_000), Some(6_000)));
        assert_eq!(at(8_001), None, "nor are those who are here told of for long");
        live.saved();
        assert_eq!(at(9_000), Some(9_000));
    }

    /// What others took over is given up before the claim holds again; the task ends when it gets to it.
    #[test]
    fn a_session_that_was_given_up_is_not_told_of_though_the_claim_holds_again() {
        let (lease, told, let_go) = (Lease::shared(), ToldOf::default(), CancellationToken::new());
        let live = Arc::new(Live::after(None, summary(), 0, &told, &let_go));
        let tells = |live: &Arc<Live>, at| {
            let held = lease.holds(SinceBoot(at)).expect("it was renewed");
            Reading::new(live.clone(), held, Timestamp(at)).is_some()
        };
        lease.renewed(SinceBoot(5_000), Timestamp(5_000));
        assert!(tells(&live, 5_500));
        let_go.cancel();
        lease.renewed(SinceBoot(9_000), Timestamp(9_000));
        assert!(!tells(&live, 9_001));
        let later = Arc::new(Live::after(Some(&live), summary(), 0, &told, &let_go));
        assert!(!tells(&later, 9_001), "nor of what was on its way to the store");
        let again = Arc::new(Live::after(None, summary(), 0, &told, &CancellationToken::new()));
        assert!(tells(&again, 9_001), "when it is taken back it is");
    }
}

//! How long this run may take itself for the owner of its sessions.
//! Owns one deadline, which the renewing task moves and every answer reads.
//! Invariant: the deadline comes before the moment at which another node may take the sessions over, whatever the
//! renewing task waits for and however long the machine sleeps.
//! Next: `keeper.rs` renews it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use salon_core::Timestamp;
use salon_store::{NODE_DEAD_MS, VOUCHED_MS};

use crate::clock::SinceBoot;

/// How long a renewal holds, from the moment it was sent. What is left until other nodes take this one for dead is for a
/// process that is stopped between a look at this and an answer, and for clocks that run unequal.
pub const HOLDS_MS: i64 = NODE_DEAD_MS - 500;

/// How long a claim that has run out is waited for before its sessions are let go of, from the last renewal that was sent.
/// Meanwhile they answer nobody; longer brings more people through an outage of the store, and keeps those longer whose
/// session another node has taken over.
const WAITED_FOR_MS: i64 = 6_000;

/// The claim of this run on its sessions.
pub struct Lease {
    until: AtomicI64,
    /// Since when it was held without a gap.
    steady_since: AtomicI64,
    /// Minutes may be told up to this moment of the node's clock: whoever takes over counts up to it as well.
    vouched: AtomicI64,
    /// Another run has this node's name.
    taken: AtomicBool,
}

/// Proof that the claim holds. Good for the answer at hand: not to be kept.
#[derive(Debug)]
pub struct Held {
    vouched: Timestamp,
}

impl Held {
    /// The last moment that may be told of.
    pub fn vouched(&self) -> Timestamp {
        self.vouched
    }

    /// No other node reads the store.
    pub fn is_alone(&self) -> bool {
        self.vouched.0 == i64::MAX
    }
}

impl Lease {
    /// Of a node that shares its store with no other: nobody else can take its sessions.
    pub fn alone() -> Self {
        Self::with(i64::MAX)
    }

    /// Holds nothing before it is renewed for the first time.
    pub fn shared() -> Self {
        Self::with(i64::MIN)
    }

    fn with(until: i64) -> Self {
        Self {
            until: AtomicI64::new(until),
            steady_since: AtomicI64::new(i64::MIN),
            vouched: AtomicI64::new(until),
            taken: AtomicBool::new(false),
        }
    }

    /// The store has renewed the claim; it was asked to at `sent`, which was `at` by the node's clock. Sessions that others
    /// took over before it was are let go of already.
    pub fn renewed(&self, sent: SinceBoot, at: Timestamp) {
        if sent.0 >= self.until.load(Ordering::Acquire) {
            self.steady_since.store(sent.0, Ordering::Release);
        }
        self.vouched.fetch_max(at.0.saturating_add(VOUCHED_MS), Ordering::AcqRel);
        self.until.fetch_max(sent.0.saturating_add(HOLDS_MS), Ordering::AcqRel);
    }

    /// Whether this run may take others for dead: after an outage of the store they are given the time to renew theirs.
    pub fn may_judge(&self, now: SinceBoot) -> bool {
        let steady_ms = now.0.saturating_sub(self.steady_since.load(Ordering::Acquire));
        self.holds(now).is_some() && steady_ms >= NODE_DEAD_MS
    }

    /// Whether it has run out so long ago that its sessions are not waited for any more.
    pub fn is_given_up(&self, now: SinceBoot) -> bool {
        let given_up_at = self.until.load(Ordering::Acquire).saturating_add(WAITED_FOR_MS - HOLDS_MS);
        now.0 >= given_up_at || self.is_taken()
    }

    /// Another run goes by this node's name, so this one owns nothing, and never will.
    pub fn lose(&self) {
        self.taken.store(true, Ordering::Release);
    }

    pub fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Acquire)
    }

    pub fn holds(&self, now: SinceBoot) -> Option<Held> {
        let holds = now.0 < self.until.load(Ordering::Acquire) && !self.is_taken();
        holds.then(|| Held { vouched: Timestamp(self.vouched.load(Ordering::Acquire)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_by_itself() {
        let lease = Lease::shared();
        let holds = |lease: &Lease, at| lease.holds(SinceBoot(at)).is_some();
        assert!(!holds(&lease, 0), "nothing is held before the first renewal");
        lease.renewed(SinceBoot(1_000), Timestamp(50_000));
        assert!(holds(&lease, 1_999));
        assert!(!holds(&lease, 2_000));
        lease.renewed(SinceBoot(500), Timestamp(49_500));
        assert!(holds(&lease, 1_999), "a late answer to an earlier renewal takes nothing back");
        assert_eq!(lease.holds(SinceBoot(1_999)).unwrap().vouched(), Timestamp(50_000 + VOUCHED_MS));
        assert!(!lease.is_given_up(SinceBoot(6_999)), "what the store did not hear of for a moment goes on");
        assert!(lease.is_given_up(SinceBoot(7_000)));
        lease.lose();
        lease.renewed(SinceBoot(2_000), Timestamp(51_000));
        assert!(!holds(&lease, 2_001), "a name that was taken does not come back");
        assert!(holds(&Lease::alone(), i64::MAX - 1) && !Lease::alone().is_given_up(SinceBoot(i64::MAX - 1)));
    }

    #[test]
    fn who_could_not_renew_itself_takes_nobody_for_dead() {
        let lease = Lease::shared();
        let may_judge = |at| lease.may_judge(SinceBoot(at));
        for at in (0..=1_800).step_by(300) {
            lease.renewed(SinceBoot(at), Timestamp(at));
        }
        assert!(may_judge(1_801));
        assert!(!may_judge(2_900), "its own claim has run out");
        lease.renewed(SinceBoot(2_900), Timestamp(2_900));
        assert!(!may_judge(2_901), "others could not renew theirs either, as far as it knows");
        for at in (3_200..=4_400).step_by(300) {
            lease.renewed(SinceBoot(at), Timestamp(at));
        }
        assert!(may_judge(4_400));
    }
}

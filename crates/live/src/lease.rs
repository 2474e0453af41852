//! How long this run may take itself for the owner of its sessions.
//! Owns one deadline, which the renewing task moves and every answer reads.
//! Invariant: the deadline comes before the moment at which another node may take the sessions over, whatever the
//! renewing task waits for and however long the machine sleeps.
//! Next: `keeper.rs` renews it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use salon_core::Timestamp;
use salon_store::{NODE_DEAD_MS, VOUCHED_MS};

use crate::clock::SinceBoot;

/// How long a renewal holds, from the moment it was sent. What is left until other nodes take this one for dead bounds
/// how unequal clocks may run.
pub const HOLDS_MS: i64 = NODE_DEAD_MS - 2_000;

/// The claim of this run on its sessions.
pub struct Lease {
    until: AtomicI64,
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
        Self { until: AtomicI64::new(i64::MAX), vouched: AtomicI64::new(i64::MAX), taken: AtomicBool::new(false) }
    }

    /// Holds nothing before it is renewed for the first time.
    pub fn shared() -> Self {
        Self { until: AtomicI64::new(i64::MIN), vouched: AtomicI64::new(i64::MIN), taken: AtomicBool::new(false) }
    }

    /// The store has renewed the claim; it was asked to at `sent`, which was `at` by the node's clock.
    pub fn renewed(&self, sent: SinceBoot, at: Timestamp) {
        self.vouched.fetch_max(at.0.saturating_add(VOUCHED_MS), Ordering::AcqRel);
        self.until.fetch_max(sent.0.saturating_add(HOLDS_MS), Ordering::AcqRel);
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
        assert!(holds(&lease, 6_999));
        assert!(!holds(&lease, 7_000));
        lease.renewed(SinceBoot(500), Timestamp(49_500));
        assert!(holds(&lease, 6_999), "a late answer to an earlier renewal takes nothing back");
        assert_eq!(lease.holds(SinceBoot(6_999)).unwrap().vouched(), Timestamp(50_000 + VOUCHED_MS));
        lease.lose();
        lease.renewed(SinceBoot(2_000), Timestamp(51_000));
        assert!(!holds(&lease, 2_001), "a name that was taken does not come back");
        assert!(holds(&Lease::alone(), i64::MAX - 1));
    }
}

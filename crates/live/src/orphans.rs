//! In which order a node takes over what has no owner, and when it leaves the rest to others. Pure.
//! When a node dies all others look at what it left at once. If all began with the same session, all would ask for each of them,
//! and all but one in vain: with a thousand nodes no database answers that, and no claim is renewed beside it.
//! Next: `adopt.rs`; `tests/fleet.rs`, which has a thousand nodes.

use std::hash::{DefaultHasher, Hash, Hasher};

/// So many in a row that others were faster with: they are at it, and what is left is looked for anew.
const LOST: u32 = 6;

/// Sorts into an order that is this run's own.
pub fn in_own_order<T>(run: &str, orphans: &mut [T], name: impl Fn(&T) -> &str) {
    orphans.sort_by_cached_key(|orphan| {
        let mut hasher = DefaultHasher::new();
        (run, name(orphan)).hash(&mut hasher);
        hasher.finish()
    });
}

/// How it goes with taking over.
#[derive(Debug, Default)]
pub struct Luck {
    lost: u32,
}

impl Luck {
    /// One was taken over, or another node had it.
    pub fn note(&mut self, was_first: bool) {
        self.lost = if was_first { 0 } else { self.lost + 1 };
    }

    /// Others are at it.
    pub fn is_out(&self) -> bool {
        self.lost >= LOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_an_order_of_its_own_and_keeps_it() {
        let of = |run: &str| {
            let mut names: Vec<String> = (0..50).map(|at| format!("s{at}")).collect();
            in_own_order(run, &mut names, |name| name);
            names
        };
        assert_eq!(of("r1"), of("r1"));
        assert_ne!(of("r1")[..5], of("r2")[..5]);
    }

    #[test]
    fn luck_runs_out_in_a_row_only() {
        let mut luck = Luck::default();
        for turn in 0..100 {
            luck.note(turn % 5 == 0);
            assert!(!luck.is_out());
        }
        (0..LOST).for_each(|_| luck.note(false));
        assert!(luck.is_out());
    }
}

//! Which nodes have fallen silent. Pure.
//! Invariant: a node that was never heard is not missed, nor is anybody after we heard nothing at all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often nodes say that they live.
pub(crate) const BEAT_EVERY: Duration = Duration::from_millis(200);

/// After how long a silence a node is missed: before its claim in the store runs out, and later than a slow line is.
const MISSED_AFTER: Duration = Duration::from_millis(1_000);

/// For how long it is missed. By then somebody has gone on with its sessions, or could not.
const MISSED_FOR: Duration = Duration::from_secs(2);

/// Nodes that are listened for. What a stranger makes up beyond them is not noted.
const MAX_NODES: usize = 1_024;

/// When each node was last heard.
#[derive(Debug, Default)]
pub(crate) struct Beats(HashMap<String, Instant>);

impl Beats {
    pub fn heard(&mut self, now: Instant, node: &str) {
        if let Some(at) = self.0.get_mut(node) {
            *at = now;
        } else if self.0.len() < MAX_NODES {
            self.0.insert(node.to_owned(), now);
        }
    }

    /// It says goodbye, or others say that it is gone.
    pub fn gone(&mut self, node: &str) {
        self.0.remove(node);
    }

    /// Whether somebody is missed.
    pub fn is_anybody_missed(&mut self, now: Instant) -> bool {
        self.0.retain(|_, heard| now.duration_since(*heard) < MISSED_AFTER + MISSED_FOR);
        self.0.values().any(|heard| now.duration_since(*heard) >= MISSED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_falls_silent_is_missed_for_a_while() {
        let (began, mut beats) = (Instant::now(), Beats::default());
        let at = |ms| began + Duration::from_millis(ms);
        assert!(!beats.is_anybody_missed(began));
        beats.heard(at(0), "n1");
        beats.heard(at(900), "n2");
        assert!(!beats.is_anybody_missed(at(999)));
        assert!(beats.is_anybody_missed(at(1_000)));
        beats.heard(at(1_100), "n1");
        assert!(!beats.is_anybody_missed(at(1_200)), "it was slow");
        assert!(beats.is_anybody_missed(at(2_000)));
        beats.gone("n2");
        assert!(!beats.is_anybody_missed(at(2_050)), "it said goodbye");
        assert!(beats.is_anybody_missed(at(4_000)));
        assert!(!beats.is_anybody_missed(at(4_100)), "whoever did not come back by then is not waited for");
    }

    #[test]
    fn strangers_fill_nothing() {
        let (now, mut beats) = (Instant::now(), Beats::default());
        (0..10_000).for_each(|n| beats.heard(now, &format!("n{n}")));
        assert_eq!(beats.0.len(), MAX_NODES);
    }
}

//! How many watch a livestream: whoever fetched its playlist a moment ago. Pure.

use std::collections::HashMap;

/// Players fetch it every two seconds; one that has not for this long watches no more.
const AWAY_MS: i64 = 10_000;

/// Viewers that are told apart at most. What one of them takes is some hundred bytes.
const MOST: usize = 100_000;

/// When each was heard of last.
#[derive(Debug, Default)]
pub struct Viewers(HashMap<String, i64>);

impl Viewers {
    /// One fetched the playlist.
    pub fn seen(&mut self, viewer: &str, now_ms: i64) {
        if let Some(at) = self.0.get_mut(viewer) {
            *at = now_ms;
            return;
        }
        if self.0.len() >= MOST {
            self.forget(now_ms);
        }
        if self.0.len() < MOST {
            self.0.insert(viewer.to_owned(), now_ms);
        }
    }

    pub fn count(&mut self, now_ms: i64) -> u64 {
        self.forget(now_ms);
        self.0.len() as u64
    }

    fn forget(&mut self, now_ms: i64) {
        self.0.retain(|_, at| now_ms - *at < AWAY_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fetches_watches_and_who_does_not_watches_no_more() {
        let mut viewers = Viewers::default();
        for (viewer, at) in [("a", 0), ("b", 1_000), ("a", 2_000), ("a", 9_000)] {
            viewers.seen(viewer, at);
        }
        assert_eq!([viewers.count(9_000), viewers.count(11_000), viewers.count(19_000)], [2, 1, 0]);
    }

    #[test]
    fn whoever_makes_viewers_up_fills_no_memory() {
        let mut viewers = Viewers::default();
        for n in 0..MOST + 10 {
            viewers.seen(&n.to_string(), 0);
        }
        assert_eq!(viewers.count(0), MOST as u64);
        viewers.seen("late", AWAY_MS);
        assert_eq!(viewers.count(AWAY_MS), 1);
    }
}

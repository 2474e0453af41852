//! Credentials that open nothing, as far as the log is told: the first at once, then a line a minute with how many there were.
//! Invariant: nobody fills the log from outside, and it never has what was shown.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The least time between two lines.
const EVERY: Duration = Duration::from_secs(60);

/// Counts them.
#[derive(Debug, Default)]
pub struct Refused(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told_at: Option<Instant>,
    untold: u64,
}

impl Refused {
    /// Notes one; answers with how many are to be told now.
    fn note(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        state.untold += 1;
        if state.told_at.is_some_and(|at| now.duration_since(at) < EVERY) {
            return None;
        }
        state.told_at = Some(now);
        Some(std::mem::take(&mut state.untold))
    }

    /// Notes one that was shown at this route, and tells the log if it is time.
    pub fn tell(&self, route: Option<&str>, status: u16) {
        if let Some(credentials) = self.note(Instant::now()) {
            tracing::warn!(credentials, route, status, "credentials were refused that are wrong or for something else");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_minute_has_them_all() {
        let refused = Refused::default();
        let start = Instant::now();
        assert_eq!(refused.note(start), Some(1));
        assert!((0..1_000).all(|_| refused.note(start + EVERY / 2).is_none()));
        assert_eq!(refused.note(start + EVERY), Some(1_001));
        assert_eq!(refused.note(start + EVERY), None);
    }
}

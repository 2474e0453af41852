//! The one clock of a node: wall-clock milliseconds that never run backwards while it runs.
//! Anchored to the wall at the start and moved by the monotonic clock, so that a step of the system's time moves no session.
//! Next: `hub.rs` gives its moments to sessions.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use salon_core::Timestamp;

/// Tells the time; copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall_at_start: Timestamp,
    start: Instant,
}

impl Clock {
    /// Anchors at the present, but not before `not_before`: a session that was recorded by a faster clock goes on from there.
    pub fn start(not_before: Timestamp) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Self { wall_at_start: Timestamp(wall).max(not_before), start: Instant::now() }
    }

    pub fn now(&self) -> Timestamp {
        self.wall_at_start.plus_ms(self.start.elapsed().as_millis() as i64)
    }

    /// The monotonic moment of a timestamp, for timers.
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.start + std::time::Duration::from_millis(at.since(self.wall_at_start) as u64)
    }
}

/// RFC 3339 in UTC with milliseconds and `Z`, as every time on the REST wire is written.
pub fn rfc3339(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// Reads an ISO 8601 instant, with `Z` or an offset.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_milliseconds_and_z() {
        let at = Timestamp(1_641_997_294_388);
        assert_eq!(rfc3339(at), "2022-01-12T14:21:34.388Z");
        assert_eq!(rfc3339(Timestamp(1_641_997_294_000)), "2022-01-12T14:21:34.000Z");
        assert_eq!(parse_rfc3339("2022-01-12T14:21:34.388Z"), Some(at));
        assert_eq!(parse_rfc3339("2022-01-12T15:21:34.388+01:00"), Some(at));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn the_clock_does_not_start_before_what_was_recorded() {
        let later = Timestamp(i64::MAX / 4);
        assert!(Clock::start(later).now() >= later);
    }
}

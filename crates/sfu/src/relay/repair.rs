//! Packets that do not come: noticed by a gap in their numbers, asked for until they come or are too late to matter. Pure.
//! Invariant: a number is taken once, whether it came late, was sent again, or both.
//! Next: `sent.rs`, where they are sent again from.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::window::Window;
use crate::limits::{RELAY_ASK_AFTER, RELAY_ASK_AGAIN, RELAY_MISSING, RELAY_REPAIR_WITHIN};

/// Numbers in one question.
pub(crate) const ASKED_AT_ONCE: usize = 100;

/// What has come of what another node numbered.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    seen: Window,
    /// The highest number that is known to have been sent.
    sent: u64,
    missing: BTreeMap<u64, Missing>,
    /// Those that came because they were asked for.
    pub repaired: u64,
    /// Those that were given up.
    pub lost: u64,
}

#[derive(Debug)]
struct Missing {
    since: Instant,
    ask_at: Instant,
    asked: bool,
}

impl Arrivals {
    /// This number came. False if it had come already, or is too old.
    pub(crate) fn came(&mut self, now: Instant, number: u64) -> bool {
        if !self.seen.take(number) {
            return false;
        }
        if number > self.sent {
            self.missing_until(now, number);
            self.sent = number;
        } else if self.missing.remove(&number).is_some_and(|missing| missing.asked) {
            self.repaired += 1;
        }
        true
    }

    /// So many were sent by now.
    pub(crate) fn were_sent(&mut self, now: Instant, highest: u64) {
        if highest > self.sent {
            self.missing_until(now, highest + 1);
            self.sent = highest;
        }
    }

    fn missing_until(&mut self, now: Instant, number: u64) {
        let gap = number - self.sent - 1;
        if self.missing.len() as u64 + gap > RELAY_MISSING {
            // The path was gone: what came over it is old by now, and people ask for key frames.
            self.lost += gap + self.missing.len() as u64;
            self.missing.clear();
            return;
        }
        for missing in self.sent + 1..number {
            let asked = Missing { since: now, ask_at: now + RELAY_ASK_AFTER, asked: false };
            self.missing.insert(missing, asked);
        }
    }

    /// What to ask for now, where an answer takes `rtt`.
    pub(crate) fn ask(&mut self, now: Instant, rtt: Duration) -> Vec<u64> {
        let before = self.missing.len();
        self.missing.retain(|_, missing| now.saturating_duration_since(missing.since) < RELAY_REPAIR_WITHIN);
        self.lost += (before - self.missing.len()) as u64;
        let due = self.missing.iter_mut().filter(|(_, missing)| missing.ask_at <= now).take(ASKED_AT_ONCE);
        due.map(|(number, missing)| {
            missing.asked = true;
            missing.ask_at = now + RELAY_ASK_AGAIN.max(rtt * 3 / 2);
            *number
        })
        .collect()
    }

    pub(crate) fn next_ask(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.ask_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_missing_is_asked_for_until_it_comes_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut arrivals = Arrivals::default();
        assert!(arrivals.came(at(0), 1) && arrivals.came(at(0), 4));
        assert!(arrivals.ask(at(0), RTT).is_empty(), "packets overtake each other");
        assert_eq!(arrivals.ask(at(3), RTT), [2, 3]);
        assert!(arrivals.ask(at(4), RTT).is_empty());
        assert!(arrivals.came(at(5), 3) && !arrivals.came(at(6), 3), "late, and sent again");
        assert_eq!(arrivals.ask(at(30), RTT), [2]);
        assert_eq!((arrivals.repaired, arrivals.lost), (1, 0));
        assert!(arrivals.ask(at(600), RTT).is_empty());
        assert_eq!((arrivals.lost, arrivals.next_ask()), (1, None));
    }

    #[test]
    fn the_last_of_a_burst_is_missed_when_it_is_told_how_many_there_were() {
        let start = Instant::now();
        let mut arrivals = Arrivals::default();
        arrivals.came(start, 1);
        arrivals.were_sent(start, 3);
        arrivals.were_sent(start, 2);
        assert_eq!(arrivals.ask(start + Duration::from_millis(5), RTT), [2, 3]);
    }

    #[test]
    fn a_path_that_was_gone_is_not_repaired() {
        let start = Instant::now();
        let mut arrivals = Arrivals::default();
        arrivals.came(start, 1);
        assert!(arrivals.came(start, 1_000_000));
        assert_eq!((arrivals.ask(start + Duration::from_millis(5), RTT), arrivals.lost), (vec![], 999_998));
    }
}

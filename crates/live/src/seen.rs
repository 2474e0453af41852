//! Until when the people of a session are known to have been in it, when its task or its owner was lost. Pure.
//! Invariant: never before a moment up to which the session was told of, on whichever node.
//! Next: `Session::recover`.

use salon_core::Timestamp;

use crate::clock::OUTAGE_MS;

/// How long after its last event a session of a clock that was far ahead may have been told of. Beyond that a moment is of
/// another such clock.
const FAR_MS: i64 = 24 * 3_600_000;

/// What is known when a session is opened again.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    /// By the clock of the node that opens it.
    pub now: Timestamp,
    /// When it last changed, by the clock that recorded it.
    pub updated_at: Timestamp,
    /// When this very run let go of it, by the session's time.
    pub let_go: Option<Timestamp>,
    /// What the file of its node says, if it was the node that opens it.
    pub beat: Option<Timestamp>,
    /// When the store saw its owner last, by its owner's clock.
    pub owner_seen: Timestamp,
}

/// How a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoesOn {
    pub seen: Timestamp,
    /// How much its time is ahead of the node's clock.
    pub ahead_ms: i64,
}

impl Evidence {
    pub fn weigh(&self) -> GoesOn {
        let Self { now, updated_at, .. } = *self;
        // A moment that the session and the present both know nothing of was written by a clock that went wrong.
        let far = updated_at > now.plus_ms(OUTAGE_MS);
        let limit = if far { updated_at.plus_ms(FAR_MS) } else { now.plus_ms(OUTAGE_MS) };
        let believable = |at: &Timestamp| *at <= limit;
        let seen = match self.let_go.filter(believable) {
            Some(at) => at,
            None => {
                let known = [self.beat, Some(self.owner_seen)];
                known.into_iter().flatten().filter(believable).max().unwrap_or_default()
            }
        };
        let seen = seen.max(updated_at);
        GoesOn { seen, ahead_ms: seen.since(now).max(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const YEARS: i64 = 5 * 365 * 24 * 3_600_000;

    fn check(change: impl FnOnce(&mut Evidence), seen: i64, ahead_ms: i64) {
        let mut evidence = Evidence {
            now: Timestamp(NOW),
            updated_at: Timestamp(NOW - 60_000),
            let_go: None,
            beat: None,
            owner_seen: Timestamp(NOW - 20_000),
        };
        change(&mut evidence);
        assert_eq!(evidence.weigh(), GoesOn { seen: Timestamp(NOW + seen), ahead_ms }, "{evidence:?}");
    }

    #[test]
    fn people_were_seen_as_long_as_their_node_was() {
        check(|_| {}, -20_000, 0);
        check(|known| known.beat = Some(Timestamp(NOW - 19_100)), -19_100, 0);
        check(|known| known.beat = Some(Timestamp(NOW - 21_000)), -20_000, 0);
        check(|known| known.let_go = Some(Timestamp(NOW - 25_000)), -25_000, 0);
        check(|known| known.let_go = Some(Timestamp(NOW - 90_000)), -60_000, 0);
    }

    #[test]
    fn a_clock_that_was_a_little_faster_is_gone_on_with() {
        check(|known| known.updated_at = Timestamp(NOW + 300), 300, 300);
        check(|known| known.beat = Some(Timestamp(NOW + 900)), 900, 900);
    }

    #[test]
    fn a_file_from_the_future_is_not_believed() {
        check(|known| known.beat = Some(Timestamp(NOW + YEARS)), -20_000, 0);
        check(|known| known.owner_seen = Timestamp(NOW + YEARS), -60_000, 0);
    }

    #[test]
    fn a_record_from_the_future_goes_on_in_its_own_time() {
        let past_the_event = YEARS + 40_000;
        check(
            |known| (known.updated_at, known.beat) = (Timestamp(NOW + YEARS), Some(Timestamp(NOW + past_the_event))),
            past_the_event,
            past_the_event,
        );
        check(|known| (known.updated_at, known.beat) = (Timestamp(NOW + YEARS), Some(Timestamp(NOW + 2 * YEARS))), YEARS, YEARS);
    }
}

//! When what is tried, and when it is given up. Pure: told the time, and what a die says.
//! Invariant: only what the receiver may not have heard is tried again; what it refused is not.
//! Sources: the product's documentation of webhooks (only no answer and 5xx are tried again); the pauses are ours.

use salon_store::{Next, Standing};

/// Pauses before the second try and those after it, in milliseconds, each ±20 %. Together some three hours. Longer ones at
/// the end make a receiver that is back wait longer; more of them keep what nobody will ever take.
const PAUSES_MS: [i64; 8] = [5_000, 30_000, 120_000, 600_000, 1_800_000, 1_800_000, 1_800_000, 1_800_000];

/// What is older gets one try, in milliseconds: it has waited for others of its subject, and those behind it wait too.
const LATE_MS: i64 = 3 * 3_600_000;

/// What is older and still open is failed without a try, in milliseconds. Longer lets more pile up for receivers that never
/// come back.
pub const GIVEN_UP_AFTER_MS: i64 = 24 * 3_600_000;

/// Tries in a row that may come to nothing before the webhook gets rests, and how long those are, in milliseconds.
const PATIENCE: u32 = 10;
const REST_MS: i64 = 60_000;

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This status.
    Answered(u16),
    /// Nothing, or not in time.
    Nothing,
}

impl Outcome {
    fn may_be_unheard(self) -> bool {
        matches!(self, Self::Nothing | Self::Answered(500..))
    }
}

/// What becomes of a delivery of this age after its `tries`th try; `die` is between 0 and 1.
pub fn next(outcome: Outcome, tries: u32, age_ms: i64, die: f64) -> Next {
    match outcome {
        Outcome::Answered(200..300) => return Next::Delivered,
        outcome if !outcome.may_be_unheard() => return Next::Failed,
        _ if age_ms >= LATE_MS => return Next::Failed,
        _ => {}
    }
    let pause = usize::try_from(tries).ok().and_then(|tries| PAUSES_MS.get(tries.saturating_sub(1)));
    pause.map_or(Next::Failed, |pause_ms| Next::Again((*pause_ms as f64 * (0.8 + 0.4 * die)) as i64))
}

/// How a webhook stands after a try, when so many before it had come to nothing in a row.
pub fn standing(outcome: Outcome, failures: u32) -> Standing {
    match (outcome.may_be_unheard(), failures) {
        (true, failures) => Standing::Failing(if failures + 1 >= PATIENCE { REST_MS } else { 0 }),
        (false, 0) => Standing::Good,
        (false, _) => Standing::Recovered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_unheard_is_tried_again() {
        for (outcome, expected) in [
            (Outcome::Answered(200), Next::Delivered),
            (Outcome::Answered(204), Next::Delivered),
            (Outcome::Answered(301), Next::Failed),
            (Outcome::Answered(308), Next::Failed),
            (Outcome::Answered(400), Next::Failed),
            (Outcome::Answered(408), Next::Failed),
            (Outcome::Answered(410), Next::Failed),
            (Outcome::Answered(429), Next::Failed),
            (Outcome::Answered(500), Next::Again(5_000)),
            (Outcome::Answered(503), Next::Again(5_000)),
            (Outcome::Nothing, Next::Again(5_000)),
        ] {
            assert_eq!(next(outcome, 1, 0, 0.5), expected, "{outcome:?}");
        }
    }

    #[test]
    fn an_outage_of_two_hours_costs_nothing_and_of_a_day_something() {
        let mut at = 0;
        let tries: Vec<i64> = (1..)
            .map_while(|tries| match next(Outcome::Nothing, tries, at, 0.5) {
                Next::Again(pause_ms) => {
                    at += pause_ms;
                    Some(at / 1_000)
                }
                _ => None,
            })
            .collect();
        assert_eq!(tries, [5, 35, 155, 755, 2_555, 4_355, 6_155, 7_955]);
    }

    #[test]
    fn pauses_differ_by_a_fifth() {
        let Next::Again(least) = next(Outcome::Nothing, 2, 0, 0.0) else { panic!("it is tried again") };
        let Next::Again(most) = next(Outcome::Nothing, 2, 0, 1.0) else { panic!("it is tried again") };
        assert_eq!((least, most), (24_000, 36_000));
    }

    #[test]
    fn what_waited_too_long_gets_one_try() {
        assert_eq!(next(Outcome::Nothing, 1, LATE_MS - 1, 0.5), Next::Again(5_000));
        assert_eq!(next(Outcome::Nothing, 1, LATE_MS, 0.5), Next::Failed);
        assert_eq!(next(Outcome::Answered(200), 1, i64::MAX, 0.5), Next::Delivered);
    }

    #[test]
    fn a_webhook_that_never_answers_gets_rests() {
        assert_eq!(standing(Outcome::Nothing, 0), Standing::Failing(0));
        assert_eq!(standing(Outcome::Answered(500), 8), Standing::Failing(0));
        assert_eq!(standing(Outcome::Nothing, 9), Standing::Failing(REST_MS));
        assert_eq!(standing(Outcome::Answered(200), 9), Standing::Recovered);
        assert_eq!(standing(Outcome::Answered(404), 1), Standing::Recovered, "it answers");
        assert_eq!(standing(Outcome::Answered(200), 0), Standing::Good);
    }
}

//! When a read that failed is tried again: pure, so that it can be looked through.

use std::time::Duration;

/// Tries of one read. Raising it makes an outage cost minutes more before the import ends and says so.
const MAX_TRIES: u32 = 8;

/// The first pause; each is twice the one before, up to the longest.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// A service that asks for more patience than this is left alone: whoever started the import should know.
const MAX_ASKED: Duration = Duration::from_secs(15 * 60);

/// What came of a try that was not answered well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No answer, or none that could be read.
    Nothing,
    /// This status, and the seconds that `Retry-After` asked for.
    Said(u16, Option<u64>),
}

/// How long to wait before the next try; `None` if there is to be none. `tries` have been made.
pub fn pause(failure: Failure, tries: u32) -> Option<Duration> {
    if tries >= MAX_TRIES {
        return None;
    }
    let growing = LONGEST.min(FIRST * 2_u32.pow(tries.saturating_sub(1).min(16)));
    match failure {
        Failure::Nothing => Some(growing),
        Failure::Said(429 | 503, Some(secs)) => Some(Duration::from_secs(secs)).filter(|asked| *asked <= MAX_ASKED),
        Failure::Said(408 | 429 | 500..=599, _) => Some(growing),
        Failure::Said(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_what_does_not_is_not() {
        let ms = |failure, tries| pause(failure, tries).map(|pause| pause.as_millis());
        assert_eq!(ms(Failure::Nothing, 1), Some(500));
        assert_eq!(ms(Failure::Said(502, None), 3), Some(2_000));
        assert_eq!(ms(Failure::Said(500, None), 7), Some(32_000));
        assert_eq!(ms(Failure::Said(500, None), 8), None);
        assert_eq!(ms(Failure::Said(429, Some(7)), 1), Some(7_000));
        assert_eq!(ms(Failure::Said(429, None), 2), Some(1_000));
        assert_eq!(ms(Failure::Said(429, Some(86_400)), 1), None, "that is another day");
        for status in [400, 401, 403, 404, 409] {
            assert_eq!(ms(Failure::Said(status, None), 1), None, "{status}");
        }
    }
}

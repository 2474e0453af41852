//! How often a recorder that dies is started anew. Pure.

/// A recorder that died so soon after the last one did will do so again.
const SOON_MS: i64 = 30_000;

/// Parts of one recording at most: a day with one that dies every ten minutes.
const MAX_PARTS: u32 = 144;

/// Whether another part is worth a try, when the last one began at `began_ms` and died at `died_ms`, and was the `part`th.
pub fn again(part: u32, began_ms: i64, died_ms: i64) -> bool {
    // The first may die of anything.
    (part == 1 || died_ms - began_ms >= SOON_MS) && part < MAX_PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_dies_twice_in_short_is_given_up() {
        assert!(again(1, 0, 10), "once it may happen");
        assert!(!again(2, 10, 20));
        assert!(again(2, 10, 10 + SOON_MS), "an hour later it may happen again");
        assert!(!again(MAX_PARTS, 0, 10_000_000));
    }
}

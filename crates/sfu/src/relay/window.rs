//! Which numbers have come, of the last thousands. Pure.
//! Invariant: a number is taken once; what is older than the window is not taken at all.

/// How far back it goes.
pub(crate) const NUMBERS: u64 = 8_192;

const WORDS: usize = (NUMBERS / 64) as usize;

/// Numbers begin at 1.
#[derive(Debug)]
pub(crate) struct Window {
    highest: u64,
    /// A bit each, by the lower part of the number.
    seen: Box<[u64; WORDS]>,
}

impl Default for Window {
    fn default() -> Self {
        Self { highest: 0, seen: Box::new([0; WORDS]) }
    }
}

impl Window {
    /// Whether it has not come yet.
    pub(crate) fn is_new(&self, number: u64) -> bool {
        if number > self.highest {
            return true;
        }
        let (word, bit) = place(number);
        number > 0 && self.highest - number < NUMBERS && self.seen[word] & bit == 0
    }

    /// True if it had not come yet.
    pub(crate) fn take(&mut self, number: u64) -> bool {
        if !self.is_new(number) {
            return false;
        }
        if number > self.highest {
            let passed = number - self.highest;
            if passed >= NUMBERS {
                self.seen.fill(0);
            } else {
                for passed in self.highest + 1..=number {
                    let (word, bit) = place(passed);
                    self.seen[word] &= !bit;
                }
            }
            self.highest = number;
        }
        let (word, bit) = place(number);
        self.seen[word] |= bit;
        true
    }
}

fn place(number: u64) -> (usize, u64) {
    let at = number % NUMBERS;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_taken_once_in_any_order() {
        let mut window = Window::default();
        assert!(!window.take(0), "numbers begin at 1");
        for (number, new) in [(1, true), (1, false), (5, true), (3, true), (3, false), (5, false), (NUMBERS + 4, true)] {
            assert_eq!(window.take(number), new, "{number}");
        }
        assert!(!window.take(4), "too old, although it never came");
        assert!(window.take(6) && !window.take(6));
        assert!(window.take(10 * NUMBERS));
        assert!(window.take(10 * NUMBERS - 1) && !window.take(10 * NUMBERS - NUMBERS));
    }
}

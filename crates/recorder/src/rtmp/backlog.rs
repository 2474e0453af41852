//! What waits to be streamed: whole fragments, each with the head of its file. Pure.
//! Invariant: whoever brings fragments never waits, and no more than `MOST` bytes are held: beyond it what waited is given up,
//! and the stream goes on with the newest. Each fragment begins with a key frame, so whatever comes next can be played.

use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes that wait at most: a dozen seconds of the best picture. More is memory, and a stream that is late by as much.
const MOST: usize = 4 << 20;

/// A fragment, and the head of the file it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub head: Arc<Vec<u8>>,
    pub bytes: Vec<u8>,
}

/// Fragments that wait.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting: VecDeque<Fragment>,
    bytes: usize,
}

impl Backlog {
    /// Adds one; how many were given up for it.
    pub fn push(&mut self, fragment: Fragment) -> usize {
        self.bytes += fragment.bytes.len();
        self.waiting.push_back(fragment);
        if self.bytes <= MOST {
            return 0;
        }
        // One that is alone too much is given up as well.
        let kept = self.waiting.pop_back().filter(|fragment| fragment.bytes.len() <= MOST);
        let given_up = self.waiting.len() + usize::from(kept.is_none());
        self.waiting.clear();
        self.bytes = kept.as_ref().map_or(0, |fragment| fragment.bytes.len());
        self.waiting.extend(kept);
        given_up
    }

    pub fn pop(&mut self) -> Option<Fragment> {
        let fragment = self.waiting.pop_front()?;
        self.bytes -= fragment.bytes.len();
        Some(fragment)
    }

    /// Gives up all but the newest: whoever watches from now on wants to see now.
    pub fn skip(&mut self) {
        let newest = self.waiting.pop_back();
        self.waiting.clear();
        self.bytes = newest.as_ref().map_or(0, |fragment| fragment.bytes.len());
        self.waiting.extend(newest);
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_takes_nothing_costs_a_bounded_memory_and_goes_on_with_the_newest() {
        let head = Arc::new(Vec::new());
        let of = |n: u8, bytes: usize| Fragment { head: head.clone(), bytes: vec![n; bytes] };
        let mut backlog = Backlog::default();
        let given_up: Vec<usize> = (0..9).map(|n| backlog.push(of(n, 1 << 20))).collect();
        assert_eq!(given_up, [0, 0, 0, 0, 4, 0, 0, 0, 4]);
        assert_eq!(backlog.pop(), Some(of(8, 1 << 20)));
        assert!(backlog.is_empty());
        assert_eq!(backlog.push(of(9, MOST + 1)), 1);
        assert!(backlog.is_empty() && backlog.bytes == 0);
        (0..3).for_each(|n| assert_eq!(backlog.push(of(n, 10)), 0));
        backlog.skip();
        assert_eq!((backlog.pop(), backlog.pop(), backlog.bytes), (Some(of(2, 10)), None, 0));
    }
}

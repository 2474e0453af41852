//! Numbers that outlive the process. Each is a word of memory that the next run can read after this one was killed, and is
//! written whole, before the packet that it is of leaves: so no number is ever sent under twice, and none is left out.
//! Owns which words are free. Nothing here waits, allocates or calls the system on the way of a packet.
//! Invariant: a word is given to another connection only after what was saved of the first has gone.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// One number, if there is memory for it; else it is forgotten with the process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Word(Option<(u32, &'static AtomicU64)>);

impl Word {
    #[inline]
    pub(crate) fn set(self, number: u64) {
        if let Some((_, cell)) = self.0 {
            cell.store(number, Ordering::Release);
        }
    }

    /// 0 until it was set.
    pub(crate) fn get(self) -> u64 {
        self.0.map_or(0, |(_, cell)| cell.load(Ordering::Acquire))
    }

    /// Where it lies.
    pub(crate) fn place(self) -> Option<u32> {
        Some(self.0?.0)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Word({:?})", self.place())
    }
}

/// Of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineWords {
    /// The index of the last SRTCP packet.
    pub reports: Word,
    /// The transport-wide number of the next packet.
    pub arrivals: Word,
}

/// Of a stream that goes out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamWords {
    /// The highest number sent.
    pub number: Word,
    /// Of retransmissions.
    pub again: Word,
    /// What is added to timestamps, and the last picture, as `consumer.rs` packs them.
    pub look: Word,
    /// A moment, and what the stream's clock showed then, as `egress.rs` packs them.
    pub clock: Word,
}

/// The words of one media thread.
#[derive(Debug, Default)]
pub(crate) struct Words {
    memory: &'static [AtomicU64],
    /// So many of them there are by now.
    ready: usize,
    /// Those from here on were never given out.
    next: usize,
    free: Vec<u32>,
    /// Free when what was saved of their connections has gone.
    leaving: Vec<u32>,
}

impl Words {
    /// All of this memory, of which an earlier run left these words.
    pub(crate) fn new(memory: &'static [AtomicU64], left: &HashSet<u32>) -> Self {
        let next = left.iter().max().map_or(0, |last| *last as usize + 1).min(memory.len());
        let free = (0..next as u32).filter(|place| !left.contains(place)).collect();
        Self { memory, ready: memory.len(), next, free, leaving: Vec::new() }
    }

    /// Only so many can be written to by now.
    pub(crate) fn limit(&mut self, ready: usize) {
        self.ready = ready.min(self.memory.len());
    }

    /// How many can still be given out.
    pub(crate) fn room(&self) -> usize {
        self.free.len() + self.ready.saturating_sub(self.next)
    }

    /// Whether anything outlives the process.
    pub(crate) fn last(&self) -> bool {
        !self.memory.is_empty()
    }

    /// A word that is 0.
    pub(crate) fn take(&mut self) -> Word {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.next < self.ready => {
                self.next += 1;
                self.next as u32 - 1
            }
            None => return Word::default(),
        };
        let word = self.again(place);
        word.set(0);
        word
    }

    /// A word as an earlier run left it.
    pub(crate) fn again(&self, place: u32) -> Word {
        Word(self.memory[..self.ready].get(place as usize).map(|cell| (place, cell)))
    }

    pub(crate) fn line(&mut self) -> LineWords {
        LineWords { reports: self.take(), arrivals: self.take() }
    }

    pub(crate) fn stream(&mut self) -> StreamWords {
        StreamWords { number: self.take(), again: self.take(), look: self.take(), clock: self.take() }
    }

    /// Their connection has ended.
    pub(crate) fn leave(&mut self, words: Vec<u32>) {
        self.leaving.extend(words);
    }

    /// Nothing is saved any more of connections that ended before.
    pub(crate) fn settle(&mut self) {
        self.free.append(&mut self.leaving);
    }
}

impl LineWords {
    pub(crate) fn places(&self) -> Option<[u32; 2]> {
        Some([self.reports.place()?, self.arrivals.place()?])
    }

    pub(crate) fn again(words: &Words, [reports, arrivals]: [u32; 2]) -> Self {
        Self { reports: words.again(reports), arrivals: words.again(arrivals) }
    }
}

impl StreamWords {
    /// Whether anything is noted at all.
    #[inline]
    pub(crate) fn last(&self) -> bool {
        self.number.0.is_some()
    }

    pub(crate) fn places(&self) -> Option<[u32; 4]> {
        Some([self.number.place()?, self.again.place()?, self.look.place()?, self.clock.place()?])
    }

    pub(crate) fn again(words: &Words, [number, again, look, clock]: [u32; 4]) -> Self {
        Self { number: words.again(number), again: words.again(again), look: words.again(look), clock: words.again(clock) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(words: usize) -> &'static [AtomicU64] {
        Box::leak((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    #[test]
    fn a_word_goes_to_another_only_when_what_was_saved_has_gone() {
        let mut words = Words::new(memory(2), &HashSet::new());
        let (one, other) = (words.take(), words.take());
        one.set(7);
        assert_eq!(words.take().place(), None, "there is no more memory");
        words.leave(vec![one.place().expect("a place")]);
        assert_eq!((words.take().place(), one.get()), (None, 7), "it may be read until then");
        words.settle();
        let next = words.take();
        assert_eq!((next.place(), next.get()), (one.place(), 0));
        assert_ne!(next.place(), other.place());
    }

    #[test]
    fn the_next_run_reads_what_was_written_and_gives_out_the_rest() {
        let memory = memory(4);
        let mut before = Words::new(memory, &HashSet::new());
        let words = [before.take(), before.take(), before.take()];
        words[1].set(41);
        words[2].set(42);
        let mut after = Words::new(memory, &HashSet::from([1]));
        assert_eq!(after.again(1).get(), 41);
        let fresh: HashSet<_> = (0..3).filter_map(|_| after.take().place()).collect();
        assert_eq!((fresh, after.take().place()), (HashSet::from([0, 2, 3]), None));
        assert_eq!(after.again(9).place(), None, "nonsense is no word");
    }
}

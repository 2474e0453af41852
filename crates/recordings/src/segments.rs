//! What of a livestream can be watched: its latest segments, in order, and what was before them. Pure.
//! Invariant: numbers of segments and breaks never fall, and a segment keeps its number (RFC 8216 section 6.2.1).
//! Next: `streams.rs`, who asks for them.

use std::collections::VecDeque;

/// Some seconds of a livestream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Which of its recorders made it, from 1.
    pub part: u32,
    /// Its file, in that recorder's folder, and the one that players need before it.
    pub name: String,
    pub head: String,
    /// As RFC 6381 has them.
    pub codecs: String,
    /// When it begins, in Unix milliseconds.
    pub at_ms: i64,
    /// How long it is.
    pub ms: u64,
}

/// The segments that are there.
#[derive(Debug, Default)]
pub struct Segments {
    /// Segments and breaks that are there no more.
    pub gone: u64,
    pub breaks_gone: u64,
    pub there: VecDeque<Segment>,
    /// There will be no more.
    pub is_over: bool,
    there_ms: u64,
    /// Of all that ever were.
    all_ms: u64,
    count: u64,
}

impl Segments {
    /// Adds one; what is beyond `most_ms` then is there no more.
    pub fn push(&mut self, segment: Segment, most_ms: u64) -> Vec<Segment> {
        self.there_ms += segment.ms;
        self.all_ms += segment.ms;
        self.count += 1;
        self.there.push_back(segment);
        let mut gone = Vec::new();
        while self.there_ms > most_ms && self.there.len() > 1 {
            let Some(first) = self.there.pop_front() else { break };
            self.there_ms -= first.ms;
            self.gone += 1;
            self.breaks_gone += u64::from(self.there.front().is_some_and(|next| next.breaks_with(&first)));
            gone.push(first);
        }
        gone
    }

    /// How many there ever were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Milliseconds that could be watched.
    pub fn all_ms(&self) -> u64 {
        self.all_ms
    }
}

impl Segment {
    /// Whether players have to begin anew with this one.
    pub fn breaks_with(&self, before: &Self) -> bool {
        (self.part, &self.head) != (before.part, &before.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(part: u32, head: &str, n: i64) -> Segment {
        let name = format!("{n}.m4s");
        Segment { part, name, head: head.to_owned(), codecs: String::new(), at_ms: n * 2_000, ms: 2_000 }
    }

    #[test]
    fn what_is_too_old_is_gone_and_is_counted() {
        let mut segments = Segments::default();
        let all = [(1, "1.mp4"), (1, "1.mp4"), (1, "2.mp4"), (2, "1.mp4"), (2, "1.mp4")];
        let mut seen = Vec::new();
        for (n, (part, head)) in (1..).zip(all) {
            let gone = segments.push(segment(part, head, n), 5_000);
            seen.push((gone.len(), segments.gone, segments.breaks_gone, segments.there.len()));
        }
        assert_eq!(seen, [(0, 0, 0, 1), (0, 0, 0, 2), (1, 1, 0, 2), (1, 2, 1, 2), (1, 3, 2, 2)]);
        assert_eq!((segments.count(), segments.all_ms()), (5, 10_000));
        // One is there in any case.
        segments.push(Segment { ms: 9_000, ..segment(2, "1.mp4", 6) }, 5_000);
        assert_eq!(segments.there.len(), 1);
    }
}

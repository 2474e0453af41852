//! Datagrams on their way out, gathered over many addresses until there is enough for one system call.
//! What goes to one address in a row is a run: datagrams of one length and perhaps a shorter last one, which the kernel cuts.
//! Invariant: each address gets its datagrams in the order they were added.
//! Next: `../../driver/udp.rs` sends.

use crate::engine::address::Address;
use crate::limits::{OUTBOX_BYTES, OUTBOX_RUNS, RUN_BYTES, RUN_DATAGRAMS};

/// Some datagrams to one address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagrams<'a> {
    pub to: Address,
    pub bytes: &'a [u8],
    /// All are this long but the last, which may be shorter.
    pub each: usize,
}

impl<'a> Datagrams<'a> {
    /// One by one.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.chunks(self.each.max(1))
    }

    #[cfg(any(test, feature = "inside"))]
    pub(crate) fn count(self) -> usize {
        self.bytes.len().div_ceil(self.each.max(1))
    }
}

/// Takes datagrams away.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&Outbox);

/// Kept for its memory.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

#[derive(Debug)]
struct Run {
    to: Address,
    /// Its first byte, and the one after its last.
    start: usize,
    end: usize,
    each: usize,
    count: usize,
    /// Its last datagram is shorter than the others.
    ended: bool,
}

impl Outbox {
    /// Adds a datagram that `write` appends to the buffer it is given. Sends first what there is if that is enough.
    #[inline]
    pub(crate) fn add(&mut self, to: Address, sink: Sink<'_>, write: impl FnOnce(&mut Vec<u8>, usize)) {
        if self.bytes.len() >= OUTBOX_BYTES || self.runs.len() >= OUTBOX_RUNS {
            self.send(sink);
        }
        let start = self.bytes.len();
        write(&mut self.bytes, start);
        let end = self.bytes.len();
        let each = end - start;
        if let Some(run) = self.runs.last_mut()
            && run.to == to
            && run.takes(each)
        {
            run.end = end;
            run.count += 1;
            run.ended = each < run.each;
        } else {
            self.runs.push(Run { to, start, end, each, count: 1, ended: false });
        }
    }

    /// Sends what there is.
    pub(crate) fn send(&mut self, sink: Sink<'_>) {
        if !self.runs.is_empty() {
            sink(self);
        }
        self.clear();
    }

    /// Forgets what there is.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Datagrams<'_>> {
        self.runs.iter().map(|run| Datagrams { to: run.to, bytes: &self.bytes[run.start..run.end], each: run.each })
    }
}

impl Run {
    fn takes(&self, length: usize) -> bool {
        let fits = self.count < RUN_DATAGRAMS && self.end - self.start + length <= RUN_BYTES;
        !self.ended && fits && length <= self.each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_of_one_length_leave_together_and_a_shorter_one_ends_them() {
        let here = Address::Udp("192.0.2.1:1".parse().unwrap());
        let there = Address::Tcp("192.0.2.1:1".parse().unwrap());
        let mut sent: Vec<(Address, Vec<usize>)> = vec![];
        let mut calls = 0;
        let mut sink = |outbox: &Outbox| {
            calls += 1;
            sent.extend(outbox.iter().map(|datagrams| (datagrams.to, datagrams.iter().map(<[u8]>::len).collect())));
        };
        let mut outbox = Outbox::default();
        for (to, length) in [(here, 9), (here, 9), (here, 4), (here, 4), (here, 9), (there, 9), (there, 10), (there, 2)] {
            outbox.add(to, &mut sink, |buffer, start| buffer.resize(start + length, 0));
        }
        outbox.send(&mut sink);
        outbox.send(&mut sink);
        assert_eq!(calls, 1);
        assert_eq!(sent, [(here, vec![9, 9, 4]), (here, vec![4]), (here, vec![9]), (there, vec![9]), (there, vec![10, 2]),]);
    }

    #[test]
    fn neither_a_run_nor_a_call_takes_more_than_it_can() {
        let to = |n: u8| Address::Udp(([192, 0, 2, n], 1).into());
        let (mut longest, mut most, mut total, mut runs, mut bytes) = (0, 0, 0, 0, 0);
        let mut sink = |outbox: &Outbox| {
            for datagrams in outbox.iter() {
                longest = longest.max(datagrams.bytes.len());
                most = most.max(datagrams.count());
                total += datagrams.count();
            }
            runs = runs.max(outbox.iter().count());
            bytes = bytes.max(outbox.iter().map(|datagrams| datagrams.bytes.len()).sum());
        };
        let mut outbox = Outbox::default();
        for length in [1_200, 100] {
            for _ in 0..500 {
                outbox.add(to(1), &mut sink, |buffer, start| buffer.resize(start + length, 0));
            }
        }
        for n in 0..200 {
            outbox.add(to(n), &mut sink, |buffer, start| buffer.resize(start + 100, 0));
        }
        outbox.send(&mut sink);
        assert_eq!((total, most, runs), (1_200, RUN_DATAGRAMS, OUTBOX_RUNS));
        assert!(longest <= RUN_BYTES && bytes <= OUTBOX_BYTES + 1_200);
    }
}

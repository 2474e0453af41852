//! Who is given the past of a track: how far each has come, and what waits for which line.
//! Invariant: a packet leaves either with the past or as it comes, which its number alone decides.
//! Next: `replaying.rs` sends it.

use std::collections::VecDeque;
use std::time::Instant;

use str0m::media::Mid;

use super::key::Key;
use super::packet::Packet;

/// Where a consumer is in the past of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replay {
    pub stream: usize,
    /// The number of the packet to send next, as it came. 0 before the first.
    pub next: u64,
}

impl Replay {
    pub(crate) fn begun(self) -> bool {
        self.next > 0
    }

    /// Whether the packet leaves with the others of the past.
    #[inline]
    pub(crate) fn covers(self, packet: &Packet) -> bool {
        packet.stream == self.stream && packet.index >= self.next
    }
}

/// The lines on which something of the past leaves.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    pub lines: Vec<Line>,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub to: Key,
    /// One after the other, so that the first pictures are there early.
    pub mids: VecDeque<Mid>,
    /// Bytes that are still to leave, about.
    pub left: usize,
    /// When the next of them may.
    pub at: Instant,
}

impl Replays {
    pub(crate) fn add(&mut self, now: Instant, to: Key, mid: Mid, bytes: usize) {
        match self.lines.iter_mut().find(|line| line.to == to) {
            Some(line) => {
                line.mids.push_back(mid);
                line.left += bytes;
            }
            None => self.lines.push(Line { to, mids: VecDeque::from([mid]), left: bytes, at: now }),
        }
    }

    /// Bytes that wait for a line already.
    pub(crate) fn left(&self, to: Key) -> usize {
        self.lines.iter().find(|line| line.to == to).map_or(0, |line| line.left)
    }

    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        self.lines.iter().map(|line| line.at).min()
    }
}

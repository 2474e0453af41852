//! What was sent to another node not long ago, in case it is asked for again. Pure.
//! Invariant: numbers follow each other; it holds half a second, and no more than so many bytes.

use std::collections::VecDeque;
use std::time::Instant;

use crate::limits::{RELAY_KEPT_BYTES, RELAY_REPAIR_WITHIN};

#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// The number of the first that is kept.
    first: u64,
    kept: VecDeque<(Instant, Box<[u8]>)>,
    bytes: usize,
}

impl Sent {
    /// The number of what is sent next.
    pub(crate) fn next(&self) -> u64 {
        self.first.max(1) + self.kept.len() as u64
    }

    pub(crate) fn keep(&mut self, now: Instant, sent: &[u8]) {
        self.first = self.first.max(1);
        self.bytes += sent.len();
        self.kept.push_back((now, sent.into()));
        while let Some((at, oldest)) = self.kept.front()
            && (now.saturating_duration_since(*at) > RELAY_REPAIR_WITHIN || self.bytes > RELAY_KEPT_BYTES)
        {
            self.bytes -= oldest.len();
            self.first += 1;
            self.kept.pop_front();
        }
    }

    pub(crate) fn get(&self, number: u64) -> Option<&[u8]> {
        let at = number.checked_sub(self.first.max(1))?;
        self.kept.get(usize::try_from(at).ok()?).map(|(_, sent)| &**sent)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn half_a_second_is_kept() {
        let start = Instant::now();
        let mut sent = Sent::default();
        for n in 0..100_u64 {
            assert_eq!(sent.next(), n + 1);
            sent.keep(start + Duration::from_millis(n * 10), &[n as u8]);
        }
        assert_eq!(sent.get(100), Some(&[99][..]));
        assert_eq!(sent.get(50), Some(&[49][..]));
        assert_eq!([0, 10, 101, u64::MAX].map(|n| sent.get(n)), [None; 4]);
        sent.keep(start + Duration::from_secs(1), &vec![0; RELAY_KEPT_BYTES]);
        assert_eq!((sent.get(100), sent.get(101).map(<[u8]>::len)), (None, Some(RELAY_KEPT_BYTES)));
    }
}

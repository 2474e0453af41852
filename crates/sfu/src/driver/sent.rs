//! What became of the datagrams of one flush.

use salon_udp::Run;

use crate::counters::{Counters, DropReason};

#[derive(Default)]
pub(super) struct SentCounts {
    pub datagrams: u64,
    pub bytes: u64,
    /// There was no room for them.
    pub full: u64,
    pub failed: u64,
}

impl SentCounts {
    /// These are on their way.
    pub(super) fn left(&mut self, run: &Run<'_>) {
        self.datagrams += run.count() as u64;
        self.bytes += run.bytes.len() as u64;
    }

    pub(super) fn count(self, counters: &mut Counters) {
        counters.datagrams_out += self.datagrams;
        counters.bytes_out += self.bytes;
        counters.drop_many(DropReason::SendBufferFull, self.full);
        counters.drop_many(DropReason::SendFailed, self.failed);
    }
}

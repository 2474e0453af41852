//! Reports to a publisher, sealed with numbers that go on from one process to the next. str0m seals them with numbers that
//! begin anew with each connection it makes, and browsers drop what they take for a replay: for minutes they would hear
//! neither of lost packets nor of key frames that are wanted. So they are opened and sealed again.
//! Invariant: a number is noted before the report leaves.

use salon_srtp::{End, RtcpOpener, Sealer, Slot};

use crate::engine::words::Word;

#[derive(Debug)]
pub(crate) struct Reports {
    opener: RtcpOpener,
    sealer: Sealer,
    last: Word,
}

impl Reports {
    /// Goes on after the number in `last`. None before the handshake is done, and where nothing outlives the process.
    pub(crate) fn new(keys: &Slot, last: Word) -> Option<Self> {
        last.place()?;
        let (keys, profile) = keys.keys()?;
        let mut sealer = Sealer::new(keys, *profile, End::DtlsServer)?;
        sealer.go_on_after(last.get() as u32);
        Some(Self { opener: RtcpOpener::new(keys, *profile, End::DtlsServer)?, sealer, last })
    }

    /// A report of ours, sealed again. None if it is none.
    pub(crate) fn reseal(&mut self, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut report = sealed.to_vec();
        let length = self.opener.open(&mut report)?.len();
        report.truncate(length);
        let ssrc = u32::from_be_bytes(*report.get(4..)?.first_chunk()?);
        self.last.set(u64::from(self.sealer.rtcp_index()) + 1);
        self.sealer.seal_rtcp(&mut report, ssrc);
        Some(report)
    }
}

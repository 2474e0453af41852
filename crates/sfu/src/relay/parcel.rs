//! A packet of media as it goes from node to node: with its original numbers, and the moments of the sending node's clock.
//! Invariant: reading never trusts a length.

use std::time::{Duration, UNIX_EPOCH};

use str0m::media::Rid;

use crate::engine::rewrite::Report;

/// Which of the parts that need not be there are there.
const MARKER: u8 = 1;
const LEVEL: u8 = 2;
const ORIENTATION: u8 = 4;
const REPORT: u8 = 8;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parcel<'a> {
    /// As the node that watches calls it.
    pub stream: u64,
    pub rid: Option<Rid>,
    pub ssrc: u32,
    pub index: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub level: Option<u8>,
    pub orientation: Option<u8>,
    pub report: Option<Report>,
    /// When it was sent first, and its moment, in microseconds of the sender's clock.
    pub sent: i64,
    pub moment: i64,
    /// AV1's descriptor.
    pub carried: &'a [u8],
    pub payload: &'a [u8],
}

impl<'a> Parcel<'a> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let flag = |there: bool, flag: u8| if there { flag } else { 0 };
        out.push(
            flag(self.marker, MARKER)
                | flag(self.level.is_some(), LEVEL)
                | flag(self.orientation.is_some(), ORIENTATION)
                | flag(self.report.is_some(), REPORT),
        );
        out.extend(self.stream.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend(self.index.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.sent.to_be_bytes());
        out.extend(self.moment.to_be_bytes());
        let rid = self.rid.as_deref().unwrap_or_default();
        out.push(rid.len() as u8);
        out.extend(rid.as_bytes());
        out.extend(self.level);
        out.extend(self.orientation);
        if let Some(report) = self.report {
            let since = report.at.duration_since(UNIX_EPOCH).unwrap_or_default();
            out.extend((since.as_nanos() as u64).to_be_bytes());
            out.extend(report.rtp.to_be_bytes());
        }
        // The format bounds it to 255.
        let carried = if self.carried.len() > 255 { &[] } else { self.carried };
        out.push(carried.len() as u8);
        out.extend(carried);
        out.extend(self.payload);
    }

    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let flags = rest.byte()?;
        let (stream, ssrc, index, timestamp) = (rest.long()?, rest.word()?, rest.long()?, rest.word()?);
        let (sent, moment) = (rest.long()? as i64, rest.long()? as i64);
        let length = rest.byte()?;
        let rid = std::str::from_utf8(rest.take(length.into())?).ok()?;
        let rid = (!rid.is_empty() && rid.is_ascii()).then(|| Rid::from(rid));
        let has = |flag: u8| flags & flag != 0;
        let level = if has(LEVEL) { Some(rest.byte()?) } else { None };
        let orientation = if has(ORIENTATION) { Some(rest.byte()?) } else { None };
        let mut report = None;
        if has(REPORT) {
            let at = UNIX_EPOCH.checked_add(Duration::from_nanos(rest.long()?))?;
            report = Some(Report { at, rtp: rest.word()? });
        }
        let length = rest.byte()?;
        let carried = rest.take(length.into())?;
        let marker = has(MARKER);
        let Rest(payload) = rest;
        Some(Self { stream, rid, ssrc, index, timestamp, marker, level, orientation, report, sent, moment, carried, payload })
    }
}

/// What is still to be read.
pub(super) struct Rest<'a>(pub &'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn word(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_is_nothing() {
        let report = Report { at: UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789), rtp: 77 };
        let full = Parcel {
            stream: 1 << 48 | 5,
            rid: Some(Rid::from("f")),
            ssrc: 9,
            index: 70_000,
            timestamp: 3_000,
            marker: true,
            level: Some(0x9e),
            orientation: Some(3),
            report: Some(report),
            sent: 5_000_000,
            moment: -20,
            carried: &[1, 2, 3],
            payload: &[7; 20],
        };
        let none = (None, None, None, None);
        let (rid, level, orientation, report) = none;
        let bare = Parcel { rid, level, orientation, report, marker: false, carried: &[], payload: &[], ..full.clone() };
        for parcel in [full, bare] {
            let mut bytes = Vec::new();
            parcel.write(&mut bytes);
            assert_eq!(Parcel::read(&bytes), Some(parcel.clone()));
            for cut in 0..bytes.len() - parcel.payload.len() {
                assert_eq!(Parcel::read(&bytes[..cut]), None);
            }
        }
    }
}

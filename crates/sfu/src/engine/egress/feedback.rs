//! What a subscriber says about what it gets, in RTCP: packets it misses, pictures it cannot decode.
//! Reads compound packets (RFC 3550 section 6.1) without allocation; what it does not know it steps over.
//! Next: `../egress.rs` answers.

use crate::engine::quality::reception::Reception;

/// One wish of a subscriber, or something it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feedback<'a> {
    /// These packets of ours are missing: `first`, and for each set bit n the one n + 1 after it (RFC 4585 section
    /// 6.2.1).
    Missing { ssrc: u32, first: u16, after: u16 },
    /// It cannot decode this stream (PLI: RFC 4585 section 6.3.1, FIR: RFC 5104 section 4.3.1).
    KeyFrameWanted { ssrc: u32 },
    /// What arrived of a stream (RFC 3550 section 6.4.1).
    Received(Reception),
    /// When packets arrived, as `congestion/arrivals.rs` reads it.
    Arrivals(&'a [u8]),
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const RTPFB: u8 = 205;
const PSFB: u8 = 206;

/// Reads one compound packet. Stops at the first part that does not fit.
pub(crate) fn read<'a>(mut compound: &'a [u8], mut each: impl FnMut(Feedback<'a>)) {
    while let [first, kind, l0, l1, ..] = *compound {
        let length = 4 * (1 + usize::from(u16::from_be_bytes([l0, l1])));
        if first >> 6 != 2 || length > compound.len() {
            return;
        }
        let (part, rest) = compound.split_at(length);
        read_part(first & 0x1f, kind, &part[4..], &mut each);
        compound = rest;
    }
}

fn read_part<'a>(format: u8, kind: u8, body: &'a [u8], each: &mut impl FnMut(Feedback<'a>)) {
    // Blocks follow the sender's own SSRC, in a sender report behind its five words about what it sends.
    let before = match kind {
        SENDER_REPORT => 24,
        RECEIVER_REPORT => 4,
        _ => 0,
    };
    if before > 0 {
        let blocks = body.get(before..).unwrap_or_default().as_chunks::<24>().0;
        blocks.iter().take(usize::from(format)).for_each(|block| each(Feedback::Received(Reception::read(block))));
        return;
    }
    // The sender's own SSRC comes first; it names nothing of ours.
    let [_, _, _, _, s0, s1, s2, s3, items @ ..] = body else { return };
    let ssrc = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
    match (kind, format) {
        (RTPFB, 1) => {
            for item in items.as_chunks::<4>().0 {
                each(Feedback::Missing {
                    ssrc,
                    first: u16::from_be_bytes([item[0], item[1]]),
                    after: u16::from_be_bytes([item[2], item[3]]),
                });
            }
        }
        (RTPFB, 15) => each(Feedback::Arrivals(items)),
        (PSFB, 1) => each(Feedback::KeyFrameWanted { ssrc }),
        (PSFB, 4) => {
            for item in items.as_chunks::<8>().0 {
                each(Feedback::KeyFrameWanted { ssrc: u32::from_be_bytes([item[0], item[1], item[2], item[3]]) });
            }
        }
        _ => {}
    }
}

impl Feedback<'_> {
    /// The sequence numbers of `Missing`.
    pub(crate) fn numbers(first: u16, after: u16) -> impl Iterator<Item = u16> {
        let rest = (0..16).filter(move |bit| after & (1 << bit) != 0).map(move |bit| first.wrapping_add(bit + 1));
        std::iter::once(first).chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> Vec<Feedback<'_>> {
        let mut all = vec![];
        read(bytes, |feedback| all.push(feedback));
        all
    }

    #[test]
    fn a_compound_of_report_nack_pli_and_fir_is_read() {
        let mut bytes = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
        bytes.extend([0x81, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0b1000_0000, 0b0000_0001, 0, 9, 0, 0]);
        bytes.extend([0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8]);
        bytes.extend([0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 3, 0, 0, 0]);
        assert_eq!(
            read_all(&bytes),
            [
                Feedback::Missing { ssrc: 7, first: 0xffff, after: 0x8001 },
                Feedback::Missing { ssrc: 7, first: 9, after: 0 },
                Feedback::KeyFrameWanted { ssrc: 8 },
                Feedback::KeyFrameWanted { ssrc: 9 },
            ]
        );
        assert_eq!(Feedback::numbers(0xffff, 0x8001).collect::<Vec<_>>(), [0xffff, 0, 15]);
    }

    #[test]
    fn blocks_of_receiver_and_sender_reports_are_read() {
        let block = [0, 0, 0, 7, 26, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 90, 0, 1, 0, 0, 0, 0, 0, 5];
        let reception = Reception { ssrc: 7, fraction_lost: 26, lost: 3, jitter: 90, sent: 0x1_0000, held: 5 };
        let receiver = [&[0x82, 201, 0, 13, 0, 0, 0, 1][..], &block, &block].concat();
        assert_eq!(read_all(&receiver), [Feedback::Received(reception); 2]);
        let sender = [&[0x81, 200, 0, 12, 0, 0, 0, 1][..], &[0; 20], &block].concat();
        assert_eq!(read_all(&sender), [Feedback::Received(reception)]);
        let fewer = [&[0x81, 201, 0, 13, 0, 0, 0, 1][..], &block, &block].concat();
        assert_eq!(read_all(&fewer).len(), 1, "the rest is something of the client's own");
        for length in 0..receiver.len() {
            assert_eq!(read_all(&receiver[..length]), []);
        }
    }

    #[test]
    fn what_is_cut_or_unknown_says_nothing() {
        let nack = [0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 5, 0, 0];
        for length in 0..nack.len() {
            assert_eq!(read_all(&nack[..length]), []);
        }
        assert_eq!(read_all(&nack).len(), 1);
        assert_eq!(read_all(&[0x81, 205, 0, 0]), []);
        assert_eq!(read_all(&[0x83, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 5, 0, 0]), []);
        assert_eq!(read_all(&[0x41, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 5, 0, 0]), []);
    }
}

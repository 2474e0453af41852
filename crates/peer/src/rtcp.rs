//! RTCP as a browser would send and read it: reports, lost packets, arrival times, wishes for key frames.
//! Pure. Invariant: what is written here is a whole number of 32-bit words, as each RTCP packet must be.

/// What a subscriber tells about one stream (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 256ths.
    pub fraction_lost: u8,
    pub lost: u32,
    pub highest: u32,
    pub jitter: u32,
    /// Middle of the last sender report's NTP time, and how long ago it came, in 65536ths of a second.
    pub last_report: u32,
    pub since_last_report: u32,
}

/// One report holds this many streams.
pub const MAX_BLOCKS: usize = 31;

/// A receiver report.
pub fn write_report(out: &mut Vec<u8>, sender: u32, blocks: &[Block]) {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    head(out, blocks.len() as u8, 201, 1 + 6 * blocks.len());
    out.extend_from_slice(&sender.to_be_bytes());
    for block in blocks {
        out.extend_from_slice(&block.ssrc.to_be_bytes());
        out.push(block.fraction_lost);
        out.extend_from_slice(&block.lost.min(0x7f_ffff).to_be_bytes()[1..]);
        for word in [block.highest, block.jitter, block.last_report, block.since_last_report] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }
}

/// Asks for packets of a stream again (RFC 4585 section 6.2.1). `missing` is sorted.
pub fn write_nack(out: &mut Vec<u8>, sender: u32, ssrc: u32, missing: &[u16]) {
    let mut pairs: Vec<(u16, u16)> = Vec::new();
    for sequence in missing {
        match pairs.last_mut() {
            Some((first, mask)) if (1..=16).contains(&sequence.wrapping_sub(*first)) => {
                *mask |= 1 << (sequence.wrapping_sub(*first) - 1);
            }
            _ => pairs.push((*sequence, 0)),
        }
    }
    head(out, 1, 205, 2 + pairs.len());
    out.extend_from_slice(&sender.to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
    for (first, mask) in pairs {
        out.extend_from_slice(&first.to_be_bytes());
        out.extend_from_slice(&mask.to_be_bytes());
    }
}

/// Asks for a key frame (RFC 4585 section 6.3.1).
pub fn write_pli(out: &mut Vec<u8>, sender: u32, ssrc: u32) {
    head(out, 1, 206, 2);
    out.extend_from_slice(&sender.to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
}

/// When a packet came: its unrolled transport-wide number, and microseconds of any clock.
pub type Arrival = (u64, u64);

/// Tells when packets came (draft-holmer-rmcat-transport-wide-cc-extensions-01). `arrivals` is sorted by number and
/// not empty; `first` is the lowest number not yet told of, at most the first arrival's.
pub fn write_arrivals(out: &mut Vec<u8>, sender: u32, ssrc: u32, count: u8, first: u64, arrivals: &[Arrival]) {
    let Some((last, _)) = arrivals.last() else { return };
    let reference = arrivals[0].1 / 64_000;
    let mut symbols = vec![0u8; (last - first + 1) as usize];
    let mut deltas = Vec::with_capacity(arrivals.len() * 2);
    let mut at = (reference * 64_000 / 250) as i64;
    for (number, arrived) in arrivals {
        let now = (arrived / 250) as i64;
        let delta = (now - at).clamp(i64::from(i16::MIN), i64::from(i16::MAX));
        at += delta;
        symbols[(number - first) as usize] = match u8::try_from(delta) {
            Ok(small) => {
                deltas.push(small);
                1
            }
            Err(_) => {
                deltas.extend_from_slice(&(delta as i16).to_be_bytes());
                2
            }
        };
    }
    // Chunks that give seven packets two bits each; run lengths would only save bytes.
    let chunks: Vec<u16> = symbols
        .chunks(7)
        .map(|seven| seven.iter().enumerate().fold(0xc000, |chunk, (at, symbol)| chunk | u16::from(*symbol) << (12 - 2 * at)))
        .collect();
    let bytes = 8 + 8 + 2 * chunks.len() + deltas.len();
    let words = bytes.div_ceil(4);
    let end = out.len() + 4 + 4 * words;
    head(out, 15, 205, words);
    out.extend_from_slice(&sender.to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(&(first as u16).to_be_bytes());
    out.extend_from_slice(&(symbols.len() as u16).to_be_bytes());
    out.extend_from_slice(&(reference as u32).to_be_bytes()[1..]);
    out.push(count);
    chunks.iter().for_each(|chunk| out.extend_from_slice(&chunk.to_be_bytes()));
    out.extend_from_slice(&deltas);
    out.resize(end, 0);
}

/// `words` counts what follows the first four bytes.
fn head(out: &mut Vec<u8>, count: u8, kind: u8, words: usize) {
    out.extend_from_slice(&[0x80 | count, kind]);
    out.extend_from_slice(&(words as u16).to_be_bytes());
}

/// What a client hears from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A key frame of this stream is wanted.
    KeyFrameWanted(u32),
    /// A stream's sender report: the NTP time, in 2^32nds of a second, at which its clock showed this.
    SenderReport { ssrc: u32, ntp: u64, timestamp: u32 },
    /// Packets are wanted again.
    Nack,
    /// Arrival times.
    Arrivals,
}

/// Reads a compound packet in the clear, as far as it is whole.
pub fn read(mut compound: &[u8], mut hear: impl FnMut(Heard)) {
    while let Some(head) = compound.first_chunk::<4>() {
        let length = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        let Some(packet) = compound.get(..length) else { return };
        let word = |at: usize| packet.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        match (head[1], head[0] & 31) {
            (200, _) => {
                if let (Some(ssrc), Some(high), Some(low), Some(timestamp)) = (word(4), word(8), word(12), word(16)) {
                    hear(Heard::SenderReport { ssrc, ntp: u64::from(high) << 32 | u64::from(low), timestamp });
                }
            }
            (206, 1) => word(8).into_iter().for_each(|ssrc| hear(Heard::KeyFrameWanted(ssrc))),
            // A full intra request names its stream in its entry.
            (206, 4) => word(12).into_iter().for_each(|ssrc| hear(Heard::KeyFrameWanted(ssrc))),
            (205, 1) => hear(Heard::Nack),
            (205, 15) => hear(Heard::Arrivals),
            _ => {}
        }
        compound = &compound[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frame_wishes_are_written_and_read() {
        let mut out = Vec::new();
        write_report(&mut out, 1, &[]);
        write_pli(&mut out, 1, 77);
        write_nack(&mut out, 1, 77, &[3]);
        let mut heard = Vec::new();
        read(&out, |one| heard.push(one));
        assert_eq!(heard, [Heard::KeyFrameWanted(77), Heard::Nack]);
        for length in 0..out.len() {
            read(&out[..length], |_| {});
        }
    }

    #[test]
    fn missing_packets_share_entries() {
        let mut out = Vec::new();
        write_nack(&mut out, 1, 2, &[10, 11, 26, 27, 65_535]);
        assert_eq!(out.len(), 12 + 3 * 4);
        assert_eq!(out[12..], [0, 10, 0x80, 1, 0, 27, 0, 0, 255, 255, 0, 0]);
    }

    #[test]
    fn arrivals_are_told_as_the_draft_says() {
        let mut out = Vec::new();
        // 64 ms is the unit of the reference; the third packet is lost, the fourth came 100 ms later, the fifth before it.
        write_arrivals(&mut out, 1, 2, 9, 100, &[(100, 64_500), (101, 64_750), (103, 164_750), (104, 164_000)]);
        assert_eq!(out.len() % 4, 0);
        assert_eq!(out[..4], [0x8f, 205, 0, 6]);
        assert_eq!(out[12..20], [0, 100, 0, 5, 0, 0, 1, 9]);
        assert_eq!(u16::from_be_bytes([out[20], out[21]]), 0b11_01_01_00_10_10_00_00);
        assert_eq!(out[22..28], [2, 1, 1, 144, 255, 253]);
    }
}

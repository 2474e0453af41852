//! RTP packets as the load generator writes and reads them, and what it puts into their payloads.
//! Pure. Invariant: nothing here trusts a length in a packet.

/// Payload types of our own offers.
pub const OPUS: u8 = 111;
pub const VP8: u8 = 96;
pub const RTX: u8 = 97;

/// Ids of header extensions in our own offers.
pub const MID_EXTENSION: u8 = 4;
pub const TRANSPORT_CC_EXTENSION: u8 = 3;
pub const LEVEL_EXTENSION: u8 = 1;

/// A VP8 payload descriptor with long picture id, TL0PICIDX and KEYIDX (RFC 7741 section 4.2).
const DESCRIPTOR: usize = 6;
/// The frame header of a VP8 key frame.
const FRAME_HEADER: usize = 10;
/// Where the stamp lies in a video payload.
const STAMP_AT: usize = DESCRIPTOR + FRAME_HEADER;
const MAGIC: [u8; 4] = *b"sbch";
/// The stamp: a mark, when the packet was sent, and its number.
const STAMP: usize = 16;
/// The smallest payloads that hold a stamp.
pub const MIN_AUDIO: usize = STAMP;
pub const MIN_VIDEO: usize = STAMP_AT + STAMP;

/// The parts of a header that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Where the payload begins.
    pub length: usize,
    pub transport_sequence: Option<u16>,
}

/// Reads a header. None if it is none.
pub fn read(packet: &[u8]) -> Option<Header> {
    let fixed: &[u8; 12] = packet.first_chunk()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let mut length = 12 + 4 * usize::from(fixed[0] & 15);
    let mut transport_sequence = None;
    if fixed[0] & 0x10 != 0 {
        let head: &[u8; 4] = packet.get(length..)?.first_chunk()?;
        let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let extensions = packet.get(length + 4..length + 4 + 4 * words)?;
        length += 4 + 4 * words;
        if head[..2] == [0xbe, 0xde] {
            transport_sequence = find(extensions, TRANSPORT_CC_EXTENSION)
                .and_then(|value| value.first_chunk::<2>())
                .map(|bytes| u16::from_be_bytes(*bytes));
        }
    }
    packet.get(length..)?;
    Some(Header {
        marker: fixed[1] & 0x80 != 0,
        payload_type: fixed[1] & 0x7f,
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        length,
        transport_sequence,
    })
}

/// A one-byte-header extension (RFC 8285 section 4.2).
fn find(mut extensions: &[u8], id: u8) -> Option<&[u8]> {
    while let [head, rest @ ..] = extensions {
        if *head == 0 {
            extensions = rest;
            continue;
        }
        let length = usize::from(head & 15) + 1;
        let value = rest.get(..length)?;
        if head >> 4 == id {
            return Some(value);
        }
        extensions = &rest[length..];
    }
    None
}

/// What a publisher says of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub video: bool,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub mid: &'a str,
    pub transport_sequence: u16,
}

/// Writes a header into an empty buffer.
pub fn write_header(packet: &mut Vec<u8>, of: Outgoing<'_>) {
    let payload_type = if of.video { VP8 } else { OPUS };
    packet.extend_from_slice(&[0x90, payload_type | u8::from(of.marker) << 7]);
    packet.extend_from_slice(&of.sequence.to_be_bytes());
    packet.extend_from_slice(&of.timestamp.to_be_bytes());
    packet.extend_from_slice(&of.ssrc.to_be_bytes());
    packet.extend_from_slice(&[0xbe, 0xde, 0, 0]);
    let start = packet.len();
    packet.push(TRANSPORT_CC_EXTENSION << 4 | 1);
    packet.extend_from_slice(&of.transport_sequence.to_be_bytes());
    packet.push(MID_EXTENSION << 4 | (of.mid.len() as u8 - 1));
    packet.extend_from_slice(of.mid.as_bytes());
    if !of.video {
        // A voice of -30 dBov, as the client's microphone would say of it.
        packet.extend_from_slice(&[LEVEL_EXTENSION << 4, 0x80 | 30]);
    }
    while !(packet.len() - start).is_multiple_of(4) {
        packet.push(0);
    }
    let words = (packet.len() - start) / 4;
    packet[start - 1] = words as u8;
}

/// A picture of a video, of which a packet is a part.
#[derive(Clone, Copy, Debug)]
pub struct Picture {
    pub number: u16,
    pub key: bool,
    /// The packet begins it.
    pub begins: bool,
}

/// Writes a payload of `size` bytes with a stamp in it.
pub fn write_payload(packet: &mut Vec<u8>, picture: Option<Picture>, size: usize, sent_at: u64, count: u32) {
    let start = packet.len();
    if let Some(picture) = picture {
        let number = picture.number & 0x7fff;
        packet.push(0x80 | u8::from(picture.begins) << 4);
        packet.extend_from_slice(&[0xe0, 0x80 | (number >> 8) as u8, number as u8, number as u8, 0x20]);
        let inter = u8::from(!picture.key);
        // A shown frame, and for a key frame its start code and 640x360 (RFC 6386 section 9.1).
        packet.extend_from_slice(&[0x10 | inter, 0, 1, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]);
    }
    packet.extend_from_slice(&MAGIC);
    packet.extend_from_slice(&sent_at.to_be_bytes());
    packet.extend_from_slice(&count.to_be_bytes());
    packet.resize(packet.len().max(start + size), 0x5a);
}

/// What a publisher wrote into a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Wall-clock nanoseconds.
    pub sent_at: u64,
    pub begins_key_frame: bool,
}

/// Reads a stamp back. None if the payload was not written by a publisher of ours.
pub fn read_stamp(payload: &[u8], video: bool) -> Option<Stamp> {
    let stamp = payload.get(if video { STAMP_AT } else { 0 }..)?.first_chunk::<STAMP>()?;
    if stamp[..4] != MAGIC {
        return None;
    }
    let sent_at = u64::from_be_bytes(*stamp[4..].first_chunk()?);
    let begins_key_frame = video && payload[0] & 0x10 != 0 && payload[DESCRIPTOR] & 1 == 0;
    Some(Stamp { sent_at, begins_key_frame })
}

/// Sequence numbers without roll-overs, from the first one seen on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unroller(Option<u64>);

impl Unroller {
    /// The number with its roll-overs; the first has none, which is what SRTP wants of a new stream.
    pub fn unroll(&mut self, sequence: u16) -> u64 {
        let Some(newest) = self.0 else {
            self.0 = Some(u64::from(sequence));
            return u64::from(sequence);
        };
        let ahead = i64::from(sequence.wrapping_sub(newest as u16) as i16);
        let unrolled = newest.saturating_add_signed(ahead);
        self.0 = Some(newest.max(unrolled));
        unrolled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for video in [true, false] {
            let mut packet = Vec::new();
            let of = Outgoing { video, marker: true, sequence: 9, timestamp: 77, ssrc: 5, mid: "2", transport_sequence: 300 };
            write_header(&mut packet, of);
            let picture = video.then_some(Picture { number: 40_000, key: true, begins: true });
            write_payload(&mut packet, picture, 100, 1 << 60, 1);
            let header = read(&packet).unwrap();
            assert_eq!((header.marker, header.sequence, header.timestamp, header.ssrc), (true, 9, 77, 5));
            assert_eq!(header.transport_sequence, Some(300));
            assert_eq!(packet.len() - header.length, 100);
            let stamp = read_stamp(&packet[header.length..], video).unwrap();
            assert_eq!(stamp, Stamp { sent_at: 1 << 60, begins_key_frame: video });
        }
    }

    #[test]
    fn broken_packets_are_no_packets() {
        let mut packet = Vec::new();
        let of = Outgoing { video: true, marker: false, sequence: 9, timestamp: 7, ssrc: 5, mid: "2", transport_sequence: 3 };
        write_header(&mut packet, of);
        for length in 0..packet.len() {
            assert_eq!(read(&packet[..length]), None, "cut at {length}");
        }
        assert_eq!(read_stamp(&[0; MIN_VIDEO], true), None);
        assert_eq!(read_stamp(&[], false), None);
    }

    #[test]
    fn numbers_go_on_over_a_roll_over() {
        let mut unroller = Unroller::default();
        let told: Vec<u64> = [65_534, 65_535, 1, 0, 65_533, 2].map(|sequence| unroller.unroll(sequence)).to_vec();
        assert_eq!(told, [65_534, 65_535, 65_537, 65_536, 65_533, 65_538]);
    }
}

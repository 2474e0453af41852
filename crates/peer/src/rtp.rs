//! RTP headers as clients write and read them, and sequence numbers without roll-overs.
//! Pure. Invariant: nothing here trusts a length in a packet.

/// Payload types of our own offers. Those of pictures are `Codec::payload`.
pub const OPUS: u8 = 111;
pub const VP8: u8 = 96;

/// How pictures are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    Vp8,
    Vp9,
    H264,
    Av1,
}

impl Codec {
    pub const ALL: [Self; 4] = [Self::Vp8, Self::Vp9, Self::H264, Self::Av1];

    /// As people and `a=rtpmap` call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
            Self::Av1 => "AV1",
        }
    }

    /// Its payload type in our own offers.
    pub fn payload(self) -> u8 {
        VP8 + 2 * self as u8
    }

    /// The payload type of its retransmissions.
    pub fn repair(self) -> u8 {
        self.payload() + 1
    }

    /// The codec of a payload type in our own offers; None if that is of no pictures.
    pub fn of(payload: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.payload() == payload)
    }

    /// What is said of it beside its name: all that browsers send is taken.
    pub fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Vp8 => None,
            Self::Vp9 => Some("profile-id=0"),
            // High, whose decoders take what is below as well, in pieces.
            Self::H264 => Some("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640034"),
            Self::Av1 => Some("level-idx=5;profile=0;tier=0"),
        }
    }
}

/// Whether packets of this payload type are retransmissions.
pub fn is_repair(payload: u8) -> bool {
    Codec::ALL.iter().any(|codec| codec.repair() == payload)
}

/// Ids of header extensions in our own offers.
pub const MID_EXTENSION: u8 = 4;
pub const TRANSPORT_CC_EXTENSION: u8 = 3;
pub const LEVEL_EXTENSION: u8 = 1;
pub const ORIENTATION_EXTENSION: u8 = 13;

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
    /// Quarters of a turn, clockwise, by which the picture is to be shown (3GPP TS 26.114 section 7.4.5).
    pub turns: Option<u8>,
}

/// Reads a header. None if it is none.
pub fn read(packet: &[u8]) -> Option<Header> {
    let fixed: &[u8; 12] = packet.first_chunk()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let mut length = 12 + 4 * usize::from(fixed[0] & 15);
    let (mut transport_sequence, mut turns) = (None, None);
    if fixed[0] & 0x10 != 0 {
        let head: &[u8; 4] = packet.get(length..)?.first_chunk()?;
        let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let extensions = packet.get(length + 4..length + 4 + 4 * words)?;
        length += 4 + 4 * words;
        if head[..2] == [0xbe, 0xde] {
            transport_sequence = find(extensions, TRANSPORT_CC_EXTENSION)
                .and_then(|value| value.first_chunk::<2>())
                .map(|bytes| u16::from_be_bytes(*bytes));
            turns = find(extensions, ORIENTATION_EXTENSION).and_then(<[u8]>::first).map(|value| value & 3);
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
        turns,
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

/// What who sends says of a packet.
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

    fn outgoing(video: bool) -> Outgoing<'static> {
        Outgoing { video, marker: true, sequence: 9, timestamp: 77, ssrc: 5, mid: "2", transport_sequence: 300 }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for video in [true, false] {
            let mut packet = Vec::new();
            write_header(&mut packet, outgoing(video));
            let length = packet.len();
            packet.extend_from_slice(&[0x5a; 100]);
            let header = read(&packet).unwrap();
            assert_eq!((header.marker, header.sequence, header.timestamp, header.ssrc), (true, 9, 77, 5));
            assert_eq!(header.payload_type, if video { VP8 } else { OPUS });
            assert_eq!((header.transport_sequence, header.length), (Some(300), length));
        }
    }

    #[test]
    fn broken_packets_are_no_packets() {
        let mut packet = Vec::new();
        write_header(&mut packet, outgoing(true));
        for length in 0..packet.len() {
            assert_eq!(read(&packet[..length]), None, "cut at {length}");
        }
    }

    #[test]
    fn numbers_go_on_over_a_roll_over() {
        let mut unroller = Unroller::default();
        let told: Vec<u64> = [65_534, 65_535, 1, 0, 65_533, 2].map(|sequence| unroller.unroll(sequence)).to_vec();
        assert_eq!(told, [65_534, 65_535, 65_537, 65_536, 65_533, 65_538]);
    }
}

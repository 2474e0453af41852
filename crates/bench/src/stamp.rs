//! What the load generator puts into the payloads it publishes: when a packet left, behind the start of a VP8 picture.
//! Pure. Invariant: nothing here trusts a length in a payload.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for video in [true, false] {
            let mut payload = Vec::new();
            let picture = video.then_some(Picture { number: 40_000, key: true, begins: true });
            write_payload(&mut payload, picture, 100, 1 << 60, 1);
            assert_eq!(payload.len(), 100);
            let stamp = read_stamp(&payload, video).unwrap();
            assert_eq!(stamp, Stamp { sent_at: 1 << 60, begins_key_frame: video });
        }
    }

    #[test]
    fn payloads_of_others_have_no_stamp() {
        assert_eq!(read_stamp(&[0; MIN_VIDEO], true), None);
        assert_eq!(read_stamp(&[], false), None);
    }
}

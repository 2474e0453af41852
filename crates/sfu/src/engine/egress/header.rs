//! RTP headers with their extensions (RFC 3550 section 5.1, RFC 8285).
//! Next: `../egress.rs`, which fills them.

use super::super::payload::dependency::Frame;
use super::super::payload::ids::Ids;

/// The fields of an RTP header that differ from packet to packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub marker: bool,
    pub pt: u8,
    pub ssrc: u32,
    pub number: u16,
    pub timestamp: u32,
}

impl Header {
    /// Appends it with the elements of its extension, whole words of them (RFC 3550 section 5.1, RFC 8285 section 4.2);
    /// returns its length.
    #[inline]
    pub(super) fn write(&self, buffer: &mut Vec<u8>, padded: bool, elements: &[u8]) -> usize {
        self.begin(buffer, padded, !elements.is_empty());
        if elements.is_empty() {
            return 12;
        }
        buffer.extend_from_slice(&[0xbe, 0xde, 0, (elements.len() / 4) as u8]);
        buffer.extend_from_slice(elements);
        16 + elements.len()
    }

    /// As `write`, with the description of a frame after the other elements, which are not padded. If it is too long for
    /// the one-byte form, all of them take the two-byte form (RFC 8285 section 4.3).
    pub(super) fn write_described(&self, buffer: &mut Vec<u8>, elements: &[u8], id: u8, frame: &Frame, ids: Ids) -> usize {
        let length = frame.length(ids);
        let start = buffer.len();
        self.begin(buffer, false, true);
        let long = length > 16;
        buffer.extend_from_slice(if long { &[0x10, 0x00, 0, 0] } else { &[0xbe, 0xde, 0, 0] });
        let body = buffer.len();
        let mut rest = elements;
        while let [head, after @ ..] = rest {
            let size = usize::from(head & 0x0f) + 1;
            match long {
                true => buffer.extend_from_slice(&[head >> 4, size as u8]),
                false => buffer.push(*head),
            }
            buffer.extend_from_slice(&after[..size]);
            rest = &after[size..];
        }
        match u8::try_from(length) {
            Ok(size) if long => buffer.extend_from_slice(&[id, size]),
            Ok(size) => buffer.push(id << 4 | (size - 1)),
            // It grew over what can be said; without it the receiver goes by sequence numbers.
            Err(_) => {}
        }
        if length <= usize::from(u8::MAX) {
            frame.write(buffer, ids);
        }
        buffer.resize(body + (buffer.len() - body).next_multiple_of(4), 0);
        buffer[body - 1] = ((buffer.len() - body) / 4) as u8;
        buffer.len() - start
    }

    /// The part without extensions.
    #[inline]
    fn begin(&self, buffer: &mut Vec<u8>, padded: bool, extended: bool) {
        let first = 0x80 | u8::from(padded) << 5 | u8::from(extended) << 4;
        buffer.extend_from_slice(&[first, u8::from(self.marker) << 7 | self.pt]);
        buffer.extend_from_slice(&self.number.to_be_bytes());
        buffer.extend_from_slice(&self.timestamp.to_be_bytes());
        buffer.extend_from_slice(&self.ssrc.to_be_bytes());
    }
}

/// The one element of padding: its transport-wide number.
pub(super) fn extension(id: u8, number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [id << 4 | 1, high, low, 0]
}

#[cfg(test)]
mod tests {
    use super::super::super::payload::dependency::tests::descriptor;
    use super::*;

    const HEADER: Header = Header { marker: true, pt: 45, ssrc: 0x0102_0304, number: 7, timestamp: 9 };
    const FIXED: [u8; 12] = [0x90, 0x80 | 45, 0, 7, 0, 0, 0, 9, 1, 2, 3, 4];

    fn described(descriptor: &[u8], known: Option<&Frame>, tl0: u8) -> Vec<u8> {
        let frame = Frame::read(descriptor, known.map(Frame::structure)).expect("a good descriptor");
        let mut out = vec![];
        let length = HEADER.write_described(&mut out, &[0x31, 0xaa, 0xbb], 12, &frame, Ids { picture: 0x1234, tl0 });
        assert_eq!(length, out.len());
        assert_eq!(length % 4, 0);
        assert_eq!(out[..12], FIXED);
        out
    }

    #[test]
    fn a_short_description_stands_in_the_one_byte_form_and_a_long_one_makes_all_two_byte() {
        let key = descriptor(1, 0, true, true, false);
        assert!(key.len() > 16);
        let out = described(&key, None, 0);
        assert_eq!(out[12..14], [0x10, 0x00]);
        assert_eq!(usize::from(out[15]) * 4, out.len() - 16);
        assert_eq!(out[16..22], [3, 2, 0xaa, 0xbb, 12, key.len() as u8]);
        assert_eq!(out[22..25], [key[0], 0x12, 0x34]);
        assert_eq!(out[25..22 + key.len()], key[3..]);

        let known = Frame::read(&key, None).expect("a good descriptor");
        let small = descriptor(2, 1, false, true, true);
        let out = described(&small, Some(&known), 0);
        assert_eq!(out[12..], [0xbe, 0xde, 0, 2, 0x31, 0xaa, 0xbb, 12 << 4 | 2, small[0], 0x12, 0x34, 0]);
        let out = described(&small, Some(&known), 1);
        assert_eq!(out[12..], [0xbe, 0xde, 0, 2, 0x31, 0xaa, 0xbb, 12 << 4 | 3, small[0], 0x12, 0x34, 0b0100_0001]);
    }
}

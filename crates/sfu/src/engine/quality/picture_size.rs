//! How large a picture is, from the first packet of its key frame. Each codec says it in its own words.
//! Next: `incoming.rs` compares it with what the publisher may send.

/// Width and height of a VP8 key frame (RFC 6386 section 9.1) behind its payload descriptor (RFC 7741 section 4.2). None
/// if the packet begins none, or is cut. Scaling hints, the upper two bits of each, are not counted.
pub(crate) fn vp8(payload: &[u8]) -> Option<(u16, u16)> {
    let first = *payload.first()?;
    if first & 0x17 != 0x10 {
        return None;
    }
    let mut at = 1;
    if first & 0x80 != 0 {
        let has = *payload.get(at)?;
        at += 1;
        if has & 0x80 != 0 {
            at += 1 + usize::from(*payload.get(at)? >> 7);
        }
        at += usize::from(has & 0x40 != 0) + usize::from(has & 0x30 != 0);
    }
    let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = *payload.get(at..)? else { return None };
    let size = (u16::from_le_bytes([w0, w1]) & 0x3fff, u16::from_le_bytes([h0, h1]) & 0x3fff);
    (tag & 1 == 0 && size.0 > 0 && size.1 > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key frame of 640x360.
    const FRAME: [u8; 10] = [0x50, 0x2d, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];

    fn behind(descriptor: &[u8]) -> Vec<u8> {
        [descriptor, &FRAME].concat()
    }

    #[test]
    fn the_size_is_found_behind_any_descriptor() {
        let descriptors: [&[u8]; 5] =
            [&[0x10], &[0x90, 0x80, 0x05], &[0x90, 0x80, 0x85, 0x05], &[0x90, 0xe0, 0x85, 0x05, 9, 0x20], &[0x90, 0x10, 0x01]];
        for descriptor in descriptors {
            assert_eq!(vp8(&behind(descriptor)), Some((640, 360)), "{descriptor:x?}");
        }
    }

    #[test]
    fn other_packets_say_nothing() {
        assert_eq!(vp8(&behind(&[0x00])), None, "the middle of a frame");
        assert_eq!(vp8(&behind(&[0x11])), None, "another partition");
        let mut delta = behind(&[0x10]);
        delta[1] |= 1;
        assert_eq!(vp8(&delta), None);
        let whole = behind(&[0x90, 0xe0, 0x85, 0x05, 9, 0x20]);
        for cut in 0..whole.len() {
            assert_eq!(vp8(&whole[..cut]), None, "cut at {cut}");
        }
    }
}

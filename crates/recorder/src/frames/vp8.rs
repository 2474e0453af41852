//! Packets of VP8 (RFC 7741), and what a frame says of itself (RFC 6386 section 9.1).

use super::part::{MOST_PIXELS, Part};

/// None if it ends within its descriptor.
pub fn read(packet: &[u8]) -> Option<Part<'_>> {
    let (first, mut rest) = packet.split_first()?;
    if first & 0x80 != 0 {
        let (extensions, after) = rest.split_first()?;
        rest = after;
        if extensions & 0x80 != 0 {
            let long = rest.first()? & 0x80 != 0;
            rest = rest.get(1 + usize::from(long)..)?;
        }
        rest = rest.get(usize::from(extensions & 0x40 != 0)..)?;
        rest = rest.get(usize::from(extensions & 0x30 != 0)..)?;
    }
    let begins = first & 0x17 == 0x10;
    let key = begins && rest.first()? & 1 == 0;
    (!rest.is_empty()).then(|| Part {
        begins: Some(begins),
        key,
        unfit: key && !fits(rest),
        bytes: rest.into(),
        units: Vec::new(),
    })
}

/// Whether a key frame is of a size that is decoded.
fn fits(frame: &[u8]) -> bool {
    let Some([_, _, _, 0x9d, 0x01, 0x2a, width, wide, height, high]) = frame.first_chunk() else { return false };
    let size = |low: &u8, high: &u8| usize::from(u16::from_le_bytes([*low, *high]) & 0x3fff);
    let pixels = size(width, wide) * size(height, high);
    (1..=MOST_PIXELS).contains(&pixels)
}

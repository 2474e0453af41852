//! AV1 (AOM, RTP Payload Format For AV1, section 4): where key frames begin, with and without the dependency descriptor.
//! Next: `dependency.rs` for the header extension, which has all else.

use std::sync::Arc;

use super::dependency::Frame;
use super::descriptor::Descriptor;
use super::ids::Form;

/// OBU types (AV1 specification, section 6.2.2).
const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;

/// None if the payload is empty.
pub(crate) fn read(payload: &[u8], frame: Option<Frame>) -> Option<Descriptor> {
    let aggregation = *payload.first()?;
    let starts = begins_sequence(aggregation, &payload[1..]);
    let Some(frame) = frame else {
        return Some(Descriptor { starts_key_frame: starts, ..Descriptor::default() });
    };
    Some(Descriptor {
        starts_key_frame: frame.spatial == 0 && (starts || frame.brings_structure()),
        ends_frame: frame.ends,
        spatial: frame.spatial,
        picture: Some((0, frame.number, Form::Frame)),
        tl0: None,
        frame: Some(Arc::new(frame)),
    })
}

/// Whether a coded video sequence begins: the sender says so, or its header comes first.
fn begins_sequence(aggregation: u8, elements: &[u8]) -> bool {
    let continues = aggregation & 0x80 != 0;
    let says = aggregation & 0x08 != 0;
    let count = aggregation >> 4 & 0x03;
    !continues && (says || first_is_header(elements, count))
}

/// Whether the first of `count` elements, delimiters aside, is a sequence header. Each has its length before it, but the
/// last if they are counted.
fn first_is_header(mut rest: &[u8], count: u8) -> bool {
    for element in 1..=2 {
        let mut length = rest.len();
        if element != count {
            let Some((stated, after)) = leb128(rest) else { return false };
            rest = after;
            length = stated;
        }
        let Some(header) = rest.first() else { return false };
        match header >> 3 & 0x0f {
            SEQUENCE_HEADER => return true,
            TEMPORAL_DELIMITER => rest = rest.get(length.max(1)..).unwrap_or_default(),
            _ => return false,
        }
    }
    false
}

/// A length and what follows it (AV1 specification, section 4.10.5). None if it is longer than any packet.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(3).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_are_known_without_a_descriptor() {
        for (what, payload, expected) in [
            ("nothing", &[][..], None),
            ("the sender says so", &[0b0001_1000, 0x0a, 1], Some(true)),
            ("the sender says so on a continued element, which cannot be", &[0b1001_1000, 0x0a, 1], Some(false)),
            ("a header alone", &[0b0001_0000, 0x0a, 1], Some(true)),
            ("a header before a frame", &[0b0010_0000, 2, 0x0a, 1, 0x32, 1], Some(true)),
            ("a header after a delimiter", &[0b0011_0000, 1, 0x12, 2, 0x0a, 1, 0x32, 1], Some(true)),
            ("a header, not counted", &[0b0000_0000, 2, 0x0a, 1], Some(true)),
            ("a frame", &[0b0001_0000, 0x32, 1], Some(false)),
            ("a frame after a delimiter", &[0b0010_0000, 1, 0x12, 0x32, 1], Some(false)),
            ("only a length", &[0b0000_0000, 2], Some(false)),
            ("a length without end", &[0b0000_0000, 0xff, 0xff, 0xff, 0xff, 0x0a], Some(false)),
            ("a length that lies", &[0b0000_0000, 0x7f, 0x12, 2], Some(false)),
            ("an aggregation header alone", &[0b0001_0000], Some(false)),
        ] {
            assert_eq!(read(payload, None).map(|d| d.starts_key_frame), expected, "{what}");
        }
    }
}

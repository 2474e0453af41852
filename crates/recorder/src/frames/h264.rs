//! Packets of H.264 (RFC 6184): a frame is a row of NAL units, each behind a start code (ITU-T H.264 annex B).

use super::part::Part;

/// NAL unit types (RFC 6184 section 5.2, ITU-T H.264 table 7-1).
const IDR: u8 = 5;
const PARAMETERS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

const START: [u8; 4] = [0, 0, 0, 1];

/// None if it is of no kind that browsers send, or ends too early.
pub fn read(packet: &[u8]) -> Option<Part<'_>> {
    let (head, rest) = packet.split_first()?;
    let (key, bytes) = match head & 0x1f {
        STAP_A => {
            let (mut rest, mut key, mut bytes) = (rest, false, Vec::with_capacity(packet.len() + 8));
            while !rest.is_empty() {
                let (length, after) = rest.split_first_chunk::<2>()?;
                let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                key |= is_first(unit);
                bytes.extend_from_slice(&START);
                bytes.extend_from_slice(unit);
                rest = after;
            }
            (key, bytes)
        }
        FU_A => {
            let (piece, content) = rest.split_first()?;
            let unit = head & 0xe0 | piece & 0x1f;
            if piece & 0x80 == 0 {
                (false, content.to_vec())
            } else {
                (is_first(&[unit, *content.first()?]), [&START, &[unit][..], content].concat())
            }
        }
        1..=23 => (is_first(packet), [&START, packet].concat()),
        _ => return None,
    };
    (!bytes.is_empty()).then(|| Part { begins: None, key, unfit: false, bytes: bytes.into(), units: Vec::new() })
}

/// Whether a key frame begins with this unit: browsers send the parameters before each. Of a picture in several slices it is
/// the first, which begins with its first macroblock, a bit 1.
fn is_first(unit: &[u8]) -> bool {
    match unit {
        [head, first, ..] if head & 0x1f == IDR => first & 0x80 != 0,
        [head, ..] => head & 0x1f == PARAMETERS,
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_come_whole_together_and_in_pieces() {
        for (what, packet, key, bytes) in [
            ("a picture", &[0x41, 0x9a][..], false, &[0, 0, 0, 1, 0x41, 0x9a][..]),
            ("an IDR picture", &[0x65, 0x88], true, &[0, 0, 0, 1, 0x65, 0x88]),
            ("its second slice", &[0x65, 0x48], false, &[0, 0, 0, 1, 0x65, 0x48]),
            ("two together", &[0x78, 0, 1, 0x67, 0, 2, 0x68, 1], true, &[0, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x68, 1]),
            ("the first piece of an IDR picture", &[0x7c, 0x85, 0x88], true, &[0, 0, 0, 1, 0x65, 0x88]),
            ("a later one", &[0x7c, 0x05, 0x88], false, &[0x88]),
        ] {
            let part = read(packet).unwrap_or_else(|| panic!("{what}"));
            assert_eq!((part.key, &*part.bytes), (key, bytes), "{what}");
        }
        for packet in [&[][..], &[0x78, 0, 9, 1], &[0x7c], &[0x7c, 0x85], &[0x1e, 1], &[0]] {
            assert_eq!(read(packet), None, "{packet:x?}");
        }
    }
}

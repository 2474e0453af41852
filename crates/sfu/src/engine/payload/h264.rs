//! H.264 (RFC 6184): where key frames begin. Its packets carry no picture numbers.
//! Next: `../payload.rs`.

use super::descriptor::Descriptor;

/// NAL unit types (RFC 6184 section 5.2, ITU-T H.264 table 7-1).
const IDR: u8 = 5;
const PARAMETERS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// None if the payload is empty or ends within a header.
pub(crate) fn read(payload: &[u8]) -> Option<Descriptor> {
    let starts_key_frame = match *payload.first()? & 0x1f {
        STAP_A => aggregated(&payload[1..]).any(begins),
        // Only the piece with the start bit is the first.
        FU_A => *payload.get(1)? & 0x80 != 0 && begins(payload[1] & 0x1f),
        kind => begins(kind),
    };
    Some(Descriptor { starts_key_frame, ..Descriptor::default() })
}

/// Browsers send the parameters before each IDR picture. Who sends them another way begins with the picture itself.
fn begins(kind: u8) -> bool {
    kind == PARAMETERS || kind == IDR
}

/// The types of the NAL units in a packet, each with its length before it (RFC 6184 section 5.7.1).
fn aggregated(mut rest: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let [high, low, kind, ..] = *rest else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(2 + length.max(1)..).unwrap_or_default();
        Some(kind & 0x1f)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_begin_with_parameters_or_an_idr_picture() {
        for (what, payload, expected) in [
            ("nothing", &[][..], None),
            ("parameters", &[0x67, 1, 2], Some(true)),
            ("the second parameter set alone", &[0x68, 1], Some(false)),
            ("an IDR picture", &[0x65, 1], Some(true)),
            ("a picture that needs others", &[0x41, 1], Some(false)),
            ("both parameter sets", &[0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1], Some(true)),
            ("a delimiter before them", &[0x78, 0, 2, 0x09, 0xf0, 0, 2, 0x67, 1], Some(true)),
            ("two slices together", &[0x78, 0, 2, 0x41, 1, 0, 2, 0x41, 1], Some(false)),
            ("an aggregate that ends too early", &[0x78, 0, 9, 0x41], Some(false)),
            ("a length of nothing", &[0x78, 0, 0, 0x41, 0, 2, 0x67], Some(true)),
            ("the first piece of an IDR picture", &[0x7c, 0x85, 1], Some(true)),
            ("a later piece", &[0x7c, 0x05, 1], Some(false)),
            ("the last piece", &[0x7c, 0x45, 1], Some(false)),
            ("the first piece of another", &[0x5c, 0x81, 1], Some(false)),
            ("a piece without its header", &[0x7c], None),
        ] {
            assert_eq!(read(payload).map(|d| d.starts_key_frame), expected, "{what}");
        }
    }
}

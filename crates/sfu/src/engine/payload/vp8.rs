//! VP8's payload descriptor (RFC 7741 section 4.2).
//! Next: `../payload.rs`.

use super::descriptor::Descriptor;
use super::ids::Form;

/// None if the payload ends within the descriptor.
pub(crate) fn read(payload: &[u8]) -> Option<Descriptor> {
    let first = *payload.first()?;
    let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
    let mut at = 1;
    let mut picture = None;
    let mut tl0 = None;
    if first & 0x80 != 0 {
        let has = *payload.get(at)?;
        at += 1;
        if has & 0x80 != 0 {
            let read = Form::read(payload, at)?;
            at += read.2.length();
            picture = Some(read);
        }
        if has & 0x40 != 0 {
            tl0 = Some((at as u8, *payload.get(at)?));
            at += 1;
        }
        // Temporal layer and key index share a byte.
        at += usize::from(has & 0x30 != 0);
    }
    // The first bit of the frame itself says that it is no key frame (RFC 6386 section 9.1).
    let starts_key_frame = starts_frame && payload.get(at)? & 1 == 0;
    Some(Descriptor { starts_key_frame, picture, tl0, ..Descriptor::default() })
}

#[cfg(test)]
mod tests {
    use super::super::ids::Ids;
    use super::super::pictures::Pictures;
    use super::*;

    /// A payload with the long or short picture id, TL0PICIDX and a key frame bit.
    fn payload(picture: u16, long: bool, tl0: u8) -> Vec<u8> {
        let mut bytes = vec![0x90, 0xe0];
        match long {
            true => bytes.extend([0x80 | (picture >> 8) as u8, picture as u8]),
            false => bytes.push(picture as u8 & 0x7f),
        }
        bytes.extend([tl0, 0x20, 0x00, 0xaa]);
        bytes
    }

    /// What comes in (whether the layer switches before it, picture id, TL0PICIDX), and what must go out.
    type Step = ((bool, u16, u8), (u16, u8));

    fn check(long: bool, steps: &[Step]) {
        let mut pictures = Pictures::default();
        for (index, ((switch, picture, tl0), expected)) in steps.iter().enumerate() {
            let bytes = payload(*picture, long, *tl0);
            let descriptor = read(&bytes).expect("a good payload");
            if *switch {
                pictures.switch(&descriptor);
            }
            let mut out = bytes.clone();
            descriptor.write(&mut out, pictures.map(&descriptor));
            assert_eq!(out, payload(expected.0, long, expected.1), "step {index}");
        }
    }

    #[test]
    fn the_first_layer_goes_through_unchanged() {
        check(true, &[((true, 300, 9), (300, 9)), ((false, 301, 10), (301, 10))]);
    }

    #[test]
    fn pictures_stay_continuous_over_switches() {
        check(
            true,
            &[
                ((true, 300, 9), (300, 9)),
                ((true, 12_000, 200), (301, 10)),
                ((false, 12_001, 201), (302, 11)),
                ((true, 5, 0), (303, 12)),
            ],
        );
    }

    #[test]
    fn picture_ids_wrap_at_15_bits_and_indexes_at_8() {
        check(
            true,
            &[
                ((true, 0x7ffe, 254), (0x7ffe, 254)),
                ((false, 0x7fff, 255), (0x7fff, 255)),
                ((true, 77, 3), (0, 0)),
                ((false, 78, 4), (1, 1)),
            ],
        );
    }

    #[test]
    fn a_late_packet_keeps_its_distance_and_does_not_move_the_reference() {
        check(
            true,
            &[((true, 100, 1), (100, 1)), ((false, 103, 4), (103, 4)), ((false, 101, 2), (101, 2)), ((true, 900, 50), (104, 5))],
        );
    }

    #[test]
    fn short_picture_ids_stay_short() {
        check(
            false,
            &[((true, 126, 1), (126, 1)), ((false, 127, 2), (127, 2)), ((true, 5, 9), (0, 3)), ((false, 6, 10), (1, 4))],
        );
    }

    #[test]
    fn a_packet_without_ids_is_left_alone() {
        let bytes = [0x10, 0x00, 0xaa];
        let descriptor = read(&bytes).expect("a good payload");
        let mut out = bytes;
        descriptor.write(&mut out, Pictures::default().map(&descriptor));
        assert_eq!(Pictures::default().map(&descriptor), Ids::default());
        assert_eq!(out, bytes);
    }

    #[test]
    fn key_frames_are_known_by_their_first_packet() {
        let starts = |bytes: &[u8]| read(bytes).map(|d| d.starts_key_frame);
        assert_eq!(starts(&payload(300, true, 9)), Some(true));
        assert_eq!(starts(&payload(30, false, 9)), Some(true));
        assert_eq!(starts(&[0x10, 0x00]), Some(true));
        assert_eq!(starts(&[0x10, 0x01]), Some(false), "a frame that needs others");
        assert_eq!(starts(&[0x00, 0x00]), Some(false), "a later packet");
        assert_eq!(starts(&[0x11, 0x00]), Some(false), "a later partition");
        assert_eq!(starts(&[0x90, 0x10, 0x00, 0x00]), Some(true), "only a key index");
    }

    #[test]
    fn a_payload_that_ends_too_early_is_none() {
        let whole = payload(300, true, 9);
        for length in 0..6 {
            assert_eq!(read(&whole[..length]), None, "{length} bytes");
        }
    }
}

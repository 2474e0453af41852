//! VP9's payload descriptor (RFC 9628 section 4.2): picture ids, spatial layers, and where frames begin and end.
//! Next: `../payload.rs`.

use super::descriptor::Descriptor;
use super::ids::Form;

/// None if the payload ends within the descriptor.
pub(crate) fn read(payload: &[u8]) -> Option<Descriptor> {
    let first = *payload.first()?;
    let has = |bit: u8| first & bit != 0;
    let (inter_picture, flexible) = (has(0x40), has(0x10));
    let (begins_frame, ends_frame) = (has(0x08), has(0x04));
    let mut at = 1;
    let mut picture = None;
    if has(0x80) {
        let read = Form::read(payload, at)?;
        at += read.2.length();
        picture = Some(read);
    }
    let mut spatial = 0;
    let mut tl0 = None;
    if has(0x20) {
        spatial = *payload.get(at)? >> 1 & 0x07;
        at += 1;
        if !flexible {
            tl0 = Some((at as u8, *payload.get(at)?));
            at += 1;
        }
    }
    if flexible && inter_picture {
        // Up to three pictures that this one needs; the last bit says whether another follows.
        for _ in 0..3 {
            let difference = *payload.get(at)?;
            at += 1;
            if difference & 0x01 == 0 {
                break;
            }
        }
    }
    if has(0x02) {
        at = after_structure(payload, at)?;
    }
    // Something must follow.
    payload.get(at)?;
    let starts_key_frame = begins_frame && !inter_picture && spatial == 0;
    Some(Descriptor { starts_key_frame, ends_frame, spatial, picture, tl0, frame: None })
}

/// Where the scalability structure ends.
fn after_structure(payload: &[u8], mut at: usize) -> Option<usize> {
    let head = *payload.get(at)?;
    at += 1;
    if head & 0x10 != 0 {
        // Width and height of each spatial layer.
        at += 4 * (usize::from(head >> 5) + 1);
    }
    if head & 0x08 != 0 {
        let pictures = *payload.get(at)?;
        at += 1;
        for _ in 0..pictures {
            // A byte each for the picture and for those that it needs.
            at += 1 + usize::from(*payload.get(at)? >> 2 & 0x03);
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::super::ids::Ids;
    use super::*;

    fn check(what: &str, payload: &[u8], expected: Descriptor) {
        assert_eq!(read(payload), Some(expected), "{what}");
        let descriptor = payload.len() - 1;
        for length in 0..=descriptor {
            assert_eq!(read(&payload[..length]), None, "{what}, {length} bytes of it");
        }
    }

    #[test]
    fn descriptors_are_understood() {
        let plain = Descriptor::default();
        check("as little as can be, a later packet", &[0x40, 0xaa], plain.clone());
        check(
            "a key frame in one packet",
            &[0x0c, 0xaa],
            Descriptor { starts_key_frame: true, ends_frame: true, ..plain.clone() },
        );
        check("a short id", &[0xc8, 0x55, 0xaa], Descriptor { picture: Some((1, 0x55, Form::Short)), ..plain.clone() });
        check("a long id", &[0xc8, 0x92, 0x34, 0xaa], Descriptor { picture: Some((1, 0x1234, Form::Long)), ..plain.clone() });
        let layered = Descriptor { picture: Some((1, 0x1234, Form::Long)), ..plain.clone() };
        check(
            "the second layer of a key picture, as Chromium sends it",
            &[0xa8, 0x92, 0x34, 0b0000_0011, 7, 0xaa],
            Descriptor { spatial: 1, tl0: Some((4, 7)), ..layered.clone() },
        );
        check(
            "the first layer of a key picture with the structure of three",
            &[
                0xaa,
                0x92,
                0x34,
                0b0000_0000,
                7, // the descriptor
                0b0101_1000,
                1,
                64,
                0,
                48,
                2,
                128,
                0,
                96,
                5,
                0,
                1,
                224, // sizes
                2,
                0b0000_0000,
                0b0011_1000,
                1,
                2, // two pictures, the second needs two
                0xaa,
            ],
            Descriptor { starts_key_frame: true, tl0: Some((4, 7)), ..layered.clone() },
        );
        check(
            "the flexible mode with three references",
            &[0xf4, 0x92, 0x34, 0b0101_0101, 0x03, 0x05, 0x06, 0xaa],
            Descriptor { spatial: 2, ends_frame: true, ..layered },
        );
    }

    #[test]
    fn other_ids_are_written_where_they_stood() {
        let payload = [0xa8, 0x92, 0x34, 0x02, 7, 0xaa];
        let descriptor = read(&payload).expect("a good payload");
        let mut out = payload;
        descriptor.write(&mut out, Ids { picture: 0x7ffe, tl0: 9 });
        assert_eq!(out, [0xa8, 0xff, 0xfe, 0x02, 9, 0xaa]);
        let payload = [0xc8, 0x55, 0xaa];
        let mut out = payload;
        read(&payload).expect("a good payload").write(&mut out, Ids { picture: 0x1f3, tl0: 9 });
        assert_eq!(out, [0xc8, 0x73, 0xaa]);
    }
}

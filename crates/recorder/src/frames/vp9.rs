//! Packets of VP9 (RFC 9628 section 4.2). The layers of a picture are one frame, as libvpx takes them.

use super::part::Part;

/// None if it ends within its descriptor.
pub fn read(packet: &[u8]) -> Option<Part<'_>> {
    let (first, mut rest) = packet.split_first()?;
    let has = |bit: u8| first & bit != 0;
    let (needs_others, flexible) = (has(0x40), has(0x10));
    if has(0x80) {
        let long = rest.first()? & 0x80 != 0;
        rest = rest.get(1 + usize::from(long)..)?;
    }
    let mut layer = 0;
    if has(0x20) {
        layer = rest.first()? >> 1 & 7;
        rest = rest.get(1 + usize::from(!flexible)..)?;
    }
    if flexible && needs_others {
        // Up to three pictures that this one needs; the last bit says whether another follows.
        for _ in 0..3 {
            let (difference, after) = rest.split_first()?;
            rest = after;
            if difference & 1 == 0 {
                break;
            }
        }
    }
    if has(0x02) {
        rest = after_structure(rest)?;
    }
    let begins = has(0x08) && layer == 0;
    let key = begins && !needs_others;
    (!rest.is_empty()).then(|| Part { begins: Some(begins), key, unfit: false, bytes: rest.into(), units: Vec::new() })
}

/// What follows the scalability structure.
fn after_structure(structure: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = structure.split_first()?;
    if head & 0x10 != 0 {
        rest = rest.get(4 * (usize::from(head >> 5) + 1)..)?;
    }
    if head & 0x08 != 0 {
        let (pictures, after) = rest.split_first()?;
        rest = after;
        for _ in 0..*pictures {
            rest = rest.get(1 + usize::from(rest.first()? >> 2 & 3)..)?;
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_all_kinds_are_passed_over() {
        for (what, descriptor, begins, key) in [
            ("as little as can be, a later packet", &[0x40][..], false, false),
            ("a key frame in one packet", &[0x0c], true, true),
            ("a short id", &[0xc8, 0x55], true, false),
            ("a long id", &[0xc8, 0x92, 0x34], true, false),
            ("the second layer of a key picture", &[0xa8, 0x92, 0x34, 0b0000_0011, 7], false, false),
            (
                "the first layer of a key picture with the structure of two",
                &[0xaa, 0x92, 0x34, 0, 7, 0b0011_1000, 1, 64, 0, 48, 2, 128, 0, 96, 2, 0, 0b0011_1000, 1, 2],
                true,
                true,
            ),
            ("the flexible mode with three references", &[0xf4, 0x92, 0x34, 0b0101_0101, 3, 5, 6], false, false),
        ] {
            let packet = [descriptor, &[0xaa]].concat();
            let part = read(&packet).unwrap_or_else(|| panic!("{what}"));
            assert_eq!((part.begins, part.key, &*part.bytes), (Some(begins), key, &[0xaa][..]), "{what}");
            assert!((0..packet.len()).all(|length| read(&packet[..length]).is_none()), "{what}");
        }
    }
}

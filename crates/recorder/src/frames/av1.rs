//! Packets of AV1 (AOM, RTP Payload Format For AV1, section 4): a frame is a row of units (OBUs), whose sizes are written into
//! them again where they were left out.

use super::part::Part;

/// Unit types (AV1 specification, section 6.2.2).
const SEQUENCE_HEADER: u8 = 1;
const DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;

/// None if it ends too early.
pub fn read(packet: &[u8]) -> Option<Part<'_>> {
    let (head, mut rest) = packet.split_first()?;
    let (mut continues, count) = (head & 0x80 != 0, head >> 4 & 3);
    let mut key = !continues && head & 0x08 != 0;
    let (mut bytes, mut units, mut element) = (Vec::with_capacity(rest.len()), Vec::new(), 0);
    while !rest.is_empty() {
        element += 1;
        let mut length = rest.len();
        if count == 0 || element < count {
            (length, rest) = leb128(rest)?;
        }
        let (unit, after) = rest.split_at_checked(length)?;
        rest = after;
        if !std::mem::take(&mut continues) {
            key |= bytes.is_empty() && unit.first().is_some_and(|first| first >> 3 & 15 == SEQUENCE_HEADER);
            units.push(bytes.len());
        }
        bytes.extend_from_slice(unit);
    }
    (!bytes.is_empty()).then(|| Part { begins: None, key, unfit: false, bytes: bytes.into(), units })
}

/// A frame as decoders take it, of units that begin there.
pub fn whole(bytes: &[u8], units: &[usize]) -> Vec<u8> {
    let ends = units.iter().skip(1).copied().chain([bytes.len()]);
    let mut out = Vec::with_capacity(bytes.len() + 4 * units.len());
    for unit in units.iter().zip(ends).filter_map(|(start, end)| bytes.get(*start..end)) {
        let Some((head, rest)) = unit.split_first() else { continue };
        if matches!(head >> 3 & 15, DELIMITER | TILE_LIST) {
            continue;
        }
        if head & 2 != 0 {
            // It says its size itself.
            out.extend_from_slice(unit);
            continue;
        }
        let Some((extension, content)) = rest.split_at_checked(usize::from(head & 4 != 0)) else { continue };
        out.push(head | 2);
        out.extend_from_slice(extension);
        let mut size = content.len();
        while size >= 128 {
            out.push(size as u8 | 128);
            size >>= 7;
        }
        out.push(size as u8);
        out.extend_from_slice(content);
    }
    out
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
    fn units_are_found_with_and_without_a_count() {
        for (what, packet, key, bytes, units) in [
            ("one, counted", &[0x10, 0x30, 7][..], false, &[0x30, 7][..], &[0][..]),
            ("two, counted", &[0x20, 2, 0x08, 1, 0x30, 7], true, &[0x08, 1, 0x30, 7], &[0, 2]),
            ("two, each with its length", &[0, 2, 0x08, 1, 2, 0x30, 7], true, &[0x08, 1, 0x30, 7], &[0, 2]),
            ("the sender says that it is key", &[0x18, 0x30, 7], true, &[0x30, 7], &[0]),
            ("the rest of one, and another", &[0xa0, 1, 9, 0x30, 7], false, &[9, 0x30, 7], &[1]),
        ] {
            let part = read(packet).unwrap_or_else(|| panic!("{what}"));
            assert_eq!((part.key, &*part.bytes, &*part.units), (key, bytes, units), "{what}");
        }
        for packet in [&[][..], &[0x10], &[0, 9, 1], &[0, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(read(packet), None, "{packet:x?}");
        }
    }

    #[test]
    fn sizes_are_written_where_there_are_none() {
        let long = [&[0x34, 0x48][..], &[5; 200]].concat();
        let bytes = [&[0x12, 0][..], &[0x0a, 1, 9], &long].concat();
        let wanted = [&[0x0a, 1, 9][..], &[0x36, 0x48, 200, 1], &[5; 200]].concat();
        assert_eq!(whole(&bytes, &[0, 2, 5]), wanted, "a delimiter is left out");
        assert_eq!(whole(&[0x34], &[0, 7]), Vec::<u8>::new());
    }
}

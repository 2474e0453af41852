//! VP8's payload descriptor (RFC 7741 section 4.2), and its ids as one consumer sees them: continuous over layer
//! switches. Receivers order frames by them; a jump backwards freezes the picture until the next key frame.
//! Invariant: within one layer the distance between any two pictures stays what it was.
//! Next: `consumer.rs` calls this for each packet it forwards.

/// Picture ids have 15 bits on the wire, or 7 in the short form, which is then their lower part.
const LONG: u16 = 0x7fff;
const SHORT: u16 = 0x7f;

/// What the descriptor of a packet says, and where the ids stand in its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    picture: Option<(usize, u16, Form)>,
    tl0: Option<(usize, u8)>,
    /// The first packet of a key frame.
    pub starts_key_frame: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Short,
    Long,
}

/// The ids a packet goes out with. What its descriptor does not have is not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub picture: u16,
    pub tl0: u8,
}

impl Descriptor {
    /// None if the payload ends within the descriptor.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
        let mut at = 1;
        let mut picture = None;
        let mut tl0 = None;
        if first & 0x80 != 0 {
            let has = *payload.get(at)?;
            at += 1;
            if has & 0x80 != 0 {
                let high = *payload.get(at)?;
                if high & 0x80 != 0 {
                    let low = *payload.get(at + 1)?;
                    picture = Some((at, u16::from_be_bytes([high, low]) & LONG, Form::Long));
                    at += 2;
                } else {
                    picture = Some((at, u16::from(high), Form::Short));
                    at += 1;
                }
            }
            if has & 0x40 != 0 {
                tl0 = Some((at, *payload.get(at)?));
                at += 1;
            }
            // Temporal layer and key index share a byte.
            at += usize::from(has & 0x30 != 0);
        }
        // The first bit of the frame itself says that it is no key frame (RFC 6386 section 9.1).
        let starts_key_frame = starts_frame && payload.get(at)? & 1 == 0;
        Some(Self { picture, tl0, starts_key_frame })
    }

    /// Puts other ids into a copy of the payload.
    pub(crate) fn write(&self, payload: &mut [u8], ids: Ids) {
        match self.picture {
            Some((at, _, Form::Long)) => payload[at..at + 2].copy_from_slice(&(ids.picture | !LONG).to_be_bytes()),
            Some((at, _, Form::Short)) => payload[at] = (ids.picture & SHORT) as u8,
            None => {}
        }
        if let Some((at, _)) = self.tl0 {
            payload[at] = ids.tl0;
        }
    }
}

/// Adds what it takes to be continuous.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    picture_offset: u16,
    tl0_offset: u8,
    last: Option<Ids>,
}

impl Pictures {
    /// From here on packets come from another layer, or the same after a pause; `first` is of its key frame.
    pub(crate) fn switch(&mut self, first: &Descriptor) {
        let Some(last) = self.last else { return };
        if let Some((_, incoming, _)) = first.picture {
            self.picture_offset = last.picture.wrapping_add(1).wrapping_sub(incoming) & LONG;
        }
        if let Some((_, incoming)) = first.tl0 {
            self.tl0_offset = last.tl0.wrapping_add(1).wrapping_sub(incoming);
        }
    }

    /// The ids this packet goes out with.
    pub(crate) fn map(&mut self, descriptor: &Descriptor) -> Ids {
        let picture = descriptor.picture.map_or(0, |(_, id, _)| id.wrapping_add(self.picture_offset) & LONG);
        let tl0 = descriptor.tl0.map_or(0, |(_, index)| index.wrapping_add(self.tl0_offset));
        let ids = Ids { picture, tl0 };
        // Keeps the newest: late packets must not move the reference back.
        let newer = self.last.is_none_or(|last| picture.wrapping_sub(last.picture) & LONG < LONG / 2);
        if newer {
            self.last = Some(ids);
        }
        ids
    }
}

#[cfg(test)]
mod tests {
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
            let descriptor = Descriptor::parse(&bytes).expect("a good payload");
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
        let descriptor = Descriptor::parse(&bytes).expect("a good payload");
        let mut out = bytes;
        descriptor.write(&mut out, Pictures::default().map(&descriptor));
        assert_eq!(out, bytes);
    }

    #[test]
    fn key_frames_are_known_by_their_first_packet() {
        let starts = |bytes: &[u8]| Descriptor::parse(bytes).map(|d| d.starts_key_frame);
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
            assert_eq!(Descriptor::parse(&whole[..length]), None, "{length} bytes");
        }
    }
}

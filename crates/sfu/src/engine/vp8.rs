//! VP8 picture ids and TL0PICIDX as one consumer sees them: continuous over layer switches (RFC 7741 section 4.2).
//! Receivers order frames by them; a jump backwards freezes the picture until the next key frame.
//! Invariant: within one layer the distance between any two pictures stays what it was.
//! Next: `consumer.rs` calls this for each packet it forwards.

use str0m::rtp::{Vp8Descriptor, Vp8Patch};

/// Picture ids have 15 bits on the wire, or 7 in the short form, which is then their lower part.
const LONG: u16 = 0x7fff;
const SHORT: u16 = 0x7f;

/// Adds what it takes to be continuous.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    picture_offset: u16,
    tl0_offset: u8,
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    picture: Option<u16>,
    tl0: Option<u8>,
}

impl Pictures {
    /// From here on packets come from another layer, or the same after a pause; `first` is of its key frame.
    pub(crate) fn switch(&mut self, first: &Vp8Descriptor) {
        let Some(last) = self.last else { return };
        if let (Some(out), Some(incoming)) = (last.picture, first.picture_id()) {
            self.picture_offset = out.wrapping_add(1).wrapping_sub(incoming) & LONG;
        }
        if let (Some(out), Some(incoming)) = (last.tl0, first.tl0_pic_idx()) {
            self.tl0_offset = out.wrapping_add(1).wrapping_sub(incoming);
        }
    }

    /// The bytes to change in this packet. None if there are no such fields.
    pub(crate) fn patch(&mut self, descriptor: &Vp8Descriptor) -> Option<Vp8Patch> {
        let picture = descriptor.picture_id().map(|id| id.wrapping_add(self.picture_offset) & LONG);
        let tl0 = descriptor.tl0_pic_idx().map(|idx| idx.wrapping_add(self.tl0_offset));
        self.remember(picture, tl0);
        let build = |picture: Option<u16>| {
            let mut patch = descriptor.patch();
            if let Some(picture) = picture {
                patch = patch.picture_id(picture);
            }
            if let Some(tl0) = tl0 {
                patch = patch.tl0_pic_idx(tl0);
            }
            patch.build().ok()
        };
        if picture.is_none() && tl0.is_none() {
            return None;
        }
        // The short form refuses what does not fit; its lower bits count just as well.
        build(picture).or_else(|| build(picture.map(|p| p & SHORT)))
    }

    /// Keeps the newest: late packets must not move the reference back.
    fn remember(&mut self, picture: Option<u16>, tl0: Option<u8>) {
        let newer = match (self.last.and_then(|l| l.picture), picture) {
            (Some(last), Some(picture)) => picture.wrapping_sub(last) & LONG < LONG / 2,
            _ => true,
        };
        if newer {
            self.last = Some(Last { picture, tl0 });
        }
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
            let descriptor = Vp8Descriptor::parse(&bytes).expect("a good payload");
            if *switch {
                pictures.switch(&descriptor);
            }
            let patch = pictures.patch(&descriptor).expect("fields to patch");
            // The patch keeps its bytes to itself; an equal one is built from the expected values.
            let expected = descriptor.patch().picture_id(expected.0).tl0_pic_idx(expected.1).build().expect("fits");
            assert_eq!(patch, expected, "step {index}");
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
        let descriptor = Vp8Descriptor::parse(&bytes).expect("a good payload");
        assert!(Pictures::default().patch(&descriptor).is_none());
    }
}

//! Picture ids and TL0PICIDX as one consumer sees them: continuous over layer switches. Receivers order frames by them;
//! a jump backwards freezes the picture until the next key frame.
//! Invariant: within one layer the distance between any two pictures stays what it was.
//! Next: `../consumer.rs` calls this for each packet it forwards.

use super::Descriptor;

/// How a picture id is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// 7 bits in the payload: the lower part of the long form.
    Short,
    /// 15 bits in the payload, after a bit that says so (RFC 7741 section 4.2, RFC 9628 section 4.2).
    Long,
    /// 16 bits in a header extension: AV1's frame numbers.
    Frame,
}

impl Form {
    fn mask(self) -> u16 {
        match self {
            Self::Short | Self::Long => 0x7fff,
            Self::Frame => 0xffff,
        }
    }

    pub(crate) fn write(self, payload: &mut [u8], at: usize, id: u16) {
        match self {
            Self::Short => payload[at] = id as u8 & 0x7f,
            Self::Long => payload[at..at + 2].copy_from_slice(&(id | 0x8000).to_be_bytes()),
            Self::Frame => {}
        }
    }

    /// The id at this place of a payload, its form, and where what follows begins. None if the payload ends within it.
    pub(crate) fn read(payload: &[u8], at: usize) -> Option<(u8, u16, Self)> {
        let high = *payload.get(at)?;
        if high & 0x80 == 0 {
            return Some((at as u8, u16::from(high), Self::Short));
        }
        Some((at as u8, u16::from_be_bytes([high & 0x7f, *payload.get(at + 1)?]), Self::Long))
    }

    /// Bytes it takes in the payload.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Short => 1,
            Self::Long => 2,
            Self::Frame => 0,
        }
    }
}

/// The numbers a packet goes out with. What it does not have is not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub picture: u16,
    /// TL0PICIDX; of AV1 how many spatial layers are sent, 0 for all.
    pub tl0: u8,
}

impl Ids {
    /// Of AV1: only layers up to this one are sent, which may be `ALL_LAYERS`.
    pub(crate) fn limit_to(&mut self, spatial: u8) {
        self.tl0 = spatial.wrapping_add(1);
    }

    /// Of AV1: the highest spatial layer that is sent, if not all are.
    pub(crate) fn limit(self) -> Option<u8> {
        self.tl0.checked_sub(1)
    }
}

/// No limit on the spatial layer.
pub(crate) const ALL_LAYERS: u8 = u8::MAX;

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
        if let Some((_, incoming, form)) = first.picture {
            self.picture_offset = last.picture.wrapping_add(1).wrapping_sub(incoming) & form.mask();
        }
        if let Some((_, incoming)) = first.tl0 {
            self.tl0_offset = last.tl0.wrapping_add(1).wrapping_sub(incoming);
        }
    }

    /// The ids this packet goes out with.
    pub(crate) fn map(&mut self, descriptor: &Descriptor) -> Ids {
        let mask = descriptor.picture.map_or(0x7fff, |(_, _, form)| form.mask());
        let picture = descriptor.picture.map_or(0, |(_, id, _)| id.wrapping_add(self.picture_offset) & mask);
        let tl0 = descriptor.tl0.map_or(0, |(_, index)| index.wrapping_add(self.tl0_offset));
        let ids = Ids { picture, tl0 };
        // Keeps the newest: late packets must not move the reference back.
        let newer = self.last.is_none_or(|last| picture.wrapping_sub(last.picture) & mask < mask / 2);
        if newer {
            self.last = Some(ids);
        }
        ids
    }
}

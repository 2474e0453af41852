//! Picture ids and TL0PICIDX as one consumer sees them: continuous over layer switches. Receivers order frames by them;
//! a jump backwards freezes the picture until the next key frame.
//! Invariant: within one layer the distance between any two pictures stays what it was.
//! Next: `../consumer.rs` calls this for each packet it forwards.

use super::descriptor::Descriptor;
use super::ids::Ids;

/// Adds what it takes to be continuous.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    picture_offset: u16,
    tl0_offset: u8,
    last: Option<Ids>,
}

impl Pictures {
    /// Goes on after the last picture that another process sent.
    pub(crate) fn go_on(&mut self, last: Ids) {
        self.last = Some(last);
    }

    /// The last picture.
    pub(crate) fn last(&self) -> Option<Ids> {
        self.last
    }

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

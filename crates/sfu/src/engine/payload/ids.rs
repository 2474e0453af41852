//! The numbers of pictures, and how codecs write them.

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
    pub(crate) fn mask(self) -> u16 {
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

//! What one who takes part gives to the successor.

use std::os::fd::{OwnedFd, RawFd};

/// Packed. The descriptors are those of whoever packed it, who keeps them open as long as it is among the parcels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// Who is to unpack it.
    pub what: String,
    /// What it says, in the words of those two.
    pub note: String,
    /// Bytes that were read and not dealt with yet, or the like.
    pub bytes: Vec<u8>,
    pub descriptors: Vec<RawFd>,
}

/// The same at the successor's, which owns the descriptors.
#[derive(Debug)]
pub struct Unpacked {
    pub what: String,
    pub note: String,
    pub bytes: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

impl Unpacked {
    /// With descriptors of its own, so that the other can still be given back.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn try_clone(&self) -> std::io::Result<Self> {
        let descriptors = self.descriptors.iter().map(OwnedFd::try_clone).collect::<Result<_, _>>()?;
        Ok(Self { what: self.what.clone(), note: self.note.clone(), bytes: self.bytes.clone(), descriptors })
    }
}

/// The descriptor that a request came on, which what becomes of its connection may hand over. Open as long as that is.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor(pub RawFd);

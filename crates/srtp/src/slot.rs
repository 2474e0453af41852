//! The keys of one connection, and how they are kept for another process.

use std::sync::{Arc, OnceLock};

use str0m::crypto::dtls::{KeyingMaterial, SrtpProfile};

/// Where the keys of one connection appear when its handshake is done.
#[derive(Clone, Debug, Default)]
pub struct Slot(Arc<OnceLock<(KeyingMaterial, SrtpProfile)>>);

impl Slot {
    /// As after a handshake.
    pub fn with(keys: KeyingMaterial, profile: SrtpProfile) -> Self {
        Self(Arc::new(OnceLock::from((keys, profile))))
    }

    /// Only the first: a later handshake on the same connection is not a thing in WebRTC.
    pub(crate) fn set(&self, keys: KeyingMaterial, profile: SrtpProfile) {
        let _ = self.0.set((keys, profile));
    }

    pub fn keys(&self) -> Option<&(KeyingMaterial, SrtpProfile)> {
        self.0.get()
    }

    /// The keys as they are kept for another process: the number of the profile (RFC 5764 section 4.1.2, RFC 7714 section
    /// 14.2), then the material. None before the handshake is done.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let (keys, profile) = self.keys()?;
        let number = PROFILES.iter().find(|(_, known)| known == profile)?.0;
        Some([&number.to_be_bytes()[..], keys].concat())
    }

    /// None if these are no such bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, keys) = bytes.split_first_chunk::<2>()?;
        let number = u16::from_be_bytes(*number);
        let (_, profile) = PROFILES.iter().find(|(known, _)| *known == number)?;
        // Two keys and two salts, none longer than this.
        (4..=88).contains(&keys.len()).then(|| Self::with(KeyingMaterial::new(keys), *profile))
    }
}

const PROFILES: [(u16, SrtpProfile); 3] =
    [(0x0001, SrtpProfile::AES128_CM_SHA1_80), (0x0007, SrtpProfile::AEAD_AES_128_GCM), (0x0008, SrtpProfile::AEAD_AES_256_GCM)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written() {
        for (_, profile) in PROFILES {
            let slot = Slot::with(KeyingMaterial::new(&[7; 56]), profile);
            let bytes = slot.to_bytes().expect("there are keys");
            let again = Slot::from_bytes(&bytes).expect("they are keys");
            assert_eq!(again.keys().map(|(keys, profile)| (keys.to_vec(), *profile)), Some((vec![7; 56], profile)));
        }
        assert_eq!(Slot::default().to_bytes(), None);
        for nonsense in [&[][..], &[0], &[0, 9, 1, 2, 3, 4], &[0, 7, 1], &[0; 91]] {
            assert!(Slot::from_bytes(nonsense).is_none());
        }
    }
}

//! How keying material is cut and keys are derived (RFC 3711, RFC 5764, RFC 7714): the three profiles browsers offer.
//! Next: `seal.rs` and `open.rs` use what comes out.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use str0m::crypto::dtls::{KeyingMaterial, SrtpProfile};

pub(crate) const GCM_TAG: usize = 16;
pub(crate) const SHA1_TAG: usize = 10;
/// In front of what is encrypted of an SRTCP packet: the first header and the sender's SSRC.
pub(crate) const RTCP_CLEAR: usize = 8;
pub(crate) const RTCP_INDEX: usize = 4;
pub(crate) const ENCRYPTED: u32 = 1 << 31;

/// Which end of the connection keys belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    DtlsClient,
    DtlsServer,
}

/// The keys of one direction, for packets or for reports.
pub(crate) enum Cipher {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    /// Counter mode with a SHA-1 tag; for clients that offer no GCM. Several times as dear.
    Counter(Box<Counter>),
}

pub(crate) struct Counter {
    pub key: EncryptingKey,
    pub salt: [u8; 14],
    pub auth: hmac::Key,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

/// What keys are derived for (RFC 3711 section 4.3.2).
#[derive(Clone, Copy)]
pub(crate) enum Use {
    Rtp = 0,
    Rtcp = 3,
}

/// A master key and salt (RFC 5764 section 4.2).
pub(crate) struct Master<'a> {
    key: &'a [u8],
    salt: &'a [u8],
    gcm: bool,
}

impl<'a> Master<'a> {
    /// The keying material holds the keys of both ends, then the salts of both, the client's first.
    pub(crate) fn cut(keys: &'a KeyingMaterial, profile: SrtpProfile, end: End) -> Option<Self> {
        let (key, salt, gcm) = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => (16, 14, false),
            SrtpProfile::AEAD_AES_128_GCM => (16, 12, true),
            SrtpProfile::AEAD_AES_256_GCM => (32, 12, true),
            _ => return None,
        };
        let (key_at, salt_at) = match end {
            End::DtlsClient => (0, 2 * key),
            End::DtlsServer => (key, 2 * key + salt),
        };
        Some(Self { key: keys.get(key_at..key_at + key)?, salt: keys.get(salt_at..salt_at + salt)?, gcm })
    }

    pub(crate) fn derive(&self, of: Use) -> Option<Cipher> {
        let label = of as u8;
        let mut key = [0; 32];
        let key = &mut key[..self.key.len()];
        self.fill(label, key)?;
        Some(if self.gcm {
            let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
            let mut salt = [0; 12];
            self.fill(label + 2, &mut salt)?;
            Cipher::Gcm { key: LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?), salt }
        } else {
            let mut auth = [0; 20];
            self.fill(label + 1, &mut auth)?;
            let mut salt = [0; 14];
            self.fill(label + 2, &mut salt)?;
            let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, key).ok()?).ok()?;
            let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth);
            Cipher::Counter(Box::new(Counter { key, salt, auth }))
        })
    }

    /// RFC 3711 section 4.3.3; RFC 7714 section 11 fills its shorter salt up with zeros.
    fn fill(&self, label: u8, out: &mut [u8]) -> Option<()> {
        let mut iv = [0; 16];
        iv[..self.salt.len()].copy_from_slice(self.salt);
        iv[7] ^= label;
        let algorithm = if self.key.len() == 16 { &AES_128 } else { &AES_256 };
        let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, self.key).ok()?).ok()?;
        out.fill(0);
        key.less_safe_encrypt(out, EncryptionContext::Iv128(FixedLength::from(iv))).ok()?;
        Some(())
    }
}

/// RFC 3711 section 4.1.1. Its own inverse.
pub(crate) fn counter_mode(key: &EncryptingKey, salt: &[u8; 14], ssrc: u32, index: u64, data: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    xor(&mut iv[4..8], &ssrc.to_be_bytes());
    xor(&mut iv[8..14], &index.to_be_bytes()[2..]);
    key.less_safe_encrypt(data, EncryptionContext::Iv128(FixedLength::from(iv))).expect("counter mode takes any length");
}

/// RFC 7714 section 8.1; the low 48 bits of the index are rollover counter and sequence number.
pub(crate) fn rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let mut iv = *salt;
    xor(&mut iv[2..6], &ssrc.to_be_bytes());
    xor(&mut iv[6..12], &index.to_be_bytes()[2..]);
    Nonce::assume_unique_for_key(iv)
}

/// RFC 7714 section 9.1.
pub(crate) fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> Nonce {
    let mut iv = *salt;
    xor(&mut iv[2..6], &ssrc.to_be_bytes());
    xor(&mut iv[8..12], &index.to_be_bytes());
    Nonce::assume_unique_for_key(iv)
}

pub(crate) fn rtcp_aad(clear: &[u8], word: [u8; 4]) -> [u8; 12] {
    let mut aad = [0; 12];
    aad[..8].copy_from_slice(clear);
    aad[8..].copy_from_slice(&word);
    aad
}

fn xor(into: &mut [u8], with: &[u8]) {
    for (a, b) in into.iter_mut().zip(with) {
        *a ^= b;
    }
}

pub(crate) fn read_u32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const PROFILES: [SrtpProfile; 3] =
        [SrtpProfile::AEAD_AES_256_GCM, SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AES128_CM_SHA1_80];

    pub(crate) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    pub(crate) fn material() -> KeyingMaterial {
        KeyingMaterial::new(&(0..88_u8).map(|n| n.wrapping_mul(7)).collect::<Vec<u8>>())
    }

    #[test]
    fn keys_are_derived_as_in_rfc_3711_appendix_b_3() {
        let (key, salt) = (hex("E1F97A0D3E018BE0D64FA32C06DE4139"), hex("0EC675AD498AFEEBB6960B3AABE6"));
        let master = Master { key: &key, salt: &salt, gcm: false };
        let derived = |label, length| {
            let mut out = vec![0; length];
            master.fill(label, &mut out).unwrap();
            out
        };
        assert_eq!(derived(0, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(2, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(derived(1, 20), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }
}

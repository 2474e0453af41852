//! SRTP for what we send, and SRTCP both ways (RFC 3711, RFC 7714): the three profiles browsers offer.
//! In place, without allocation: sealing is the largest part of forwarding a packet.
//! Invariant: an SRTCP index is used once; who calls `seal_rtp` sees to it that an RTP index is used for one packet.
//! Next: `../egress.rs` writes the packets.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use str0m::crypto::dtls::{KeyingMaterial, SrtpProfile};

const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;
/// In front of what is encrypted of an SRTCP packet: the first header and the sender's SSRC.
const RTCP_CLEAR: usize = 8;
const RTCP_INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// How far behind the newest an SRTCP packet may come and still be taken (RFC 3711 section 3.3.2).
const REPLAY_WINDOW: u32 = 64;

/// Which end of the connection keys belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    DtlsClient,
    DtlsServer,
}

/// Seals one direction of a connection.
#[derive(Debug)]
pub(crate) struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    rtcp_index: u32,
}

/// Opens the SRTCP of the other direction.
#[derive(Debug)]
pub(crate) struct Opener {
    rtcp: Cipher,
    newest: u32,
    /// Bit n: the packet n before the newest came already.
    seen: u64,
}

enum Cipher {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    /// Counter mode with a SHA-1 tag; for clients that offer no GCM. Several times as dear.
    Counter(Box<Counter>),
}

struct Counter {
    key: EncryptingKey,
    salt: [u8; 14],
    auth: hmac::Key,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

/// What keys are derived for (RFC 3711 section 4.3.2).
#[derive(Clone, Copy)]
enum Use {
    Rtp = 0,
    Rtcp = 3,
}

impl Sealer {
    /// None for a profile we do not know.
    pub(crate) fn new(keys: &KeyingMaterial, profile: SrtpProfile, end: End) -> Option<Self> {
        let master = Master::cut(keys, profile, end)?;
        Some(Self { rtp: master.derive(Use::Rtp)?, rtcp: master.derive(Use::Rtcp)?, rtcp_index: 0 })
    }

    /// Seals the packet that starts at `start` of the buffer, with a header of `header` bytes, and appends the tag.
    /// `index` is its extended sequence number.
    pub(crate) fn seal_rtp(&self, buffer: &mut Vec<u8>, start: usize, header: usize, ssrc: u32, index: u64) {
        let packet = &mut buffer[start..];
        let (clear, secret) = packet.split_at_mut(header);
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                // RFC 7714 section 8.1; the low 48 bits of the index are rollover counter and sequence number.
                let mut iv = *salt;
                xor(&mut iv[2..6], &ssrc.to_be_bytes());
                xor(&mut iv[6..12], &index.to_be_bytes()[2..]);
                let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(&*clear), secret);
                buffer.extend_from_slice(tag.expect("a packet is far shorter than GCM's limit").as_ref());
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, auth } = &**counter;
                counter_mode(key, salt, ssrc, index, secret);
                let mut tag = hmac::Context::with_key(auth);
                tag.update(packet);
                tag.update(&((index >> 16) as u32).to_be_bytes());
                buffer.extend_from_slice(&tag.sign().as_ref()[..SHA1_TAG]);
            }
        }
    }

    /// Seals a compound RTCP packet, which is all of the buffer.
    pub(crate) fn seal_rtcp(&mut self, buffer: &mut Vec<u8>, ssrc: u32) {
        self.rtcp_index = (self.rtcp_index + 1) & !ENCRYPTED;
        let index = self.rtcp_index;
        let word = (index | ENCRYPTED).to_be_bytes();
        let (clear, secret) = buffer.split_at_mut(RTCP_CLEAR);
        match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let aad = rtcp_aad(clear, word);
                let tag = key.seal_in_place_separate_tag(rtcp_nonce(salt, ssrc, index), Aad::from(aad), secret);
                buffer.extend_from_slice(tag.expect("a packet is far shorter than GCM's limit").as_ref());
                buffer.extend_from_slice(&word);
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, auth } = &**counter;
                counter_mode(key, salt, ssrc, index.into(), secret);
                buffer.extend_from_slice(&word);
                let tag = hmac::sign(auth, buffer);
                buffer.extend_from_slice(&tag.as_ref()[..SHA1_TAG]);
            }
        }
    }
}

impl Opener {
    /// None for a profile we do not know.
    pub(crate) fn new(keys: &KeyingMaterial, profile: SrtpProfile, end: End) -> Option<Self> {
        let master = Master::cut(keys, profile, end)?;
        Some(Self { rtcp: master.derive(Use::Rtcp)?, newest: 0, seen: 0 })
    }

    /// Opens an SRTCP packet in the buffer, which holds the plain compound packet afterwards. False if it is not
    /// genuine, came before, or is too old.
    pub(crate) fn open_rtcp(&mut self, buffer: &mut Vec<u8>) -> bool {
        let tag = match &self.rtcp {
            Cipher::Gcm { .. } => GCM_TAG,
            Cipher::Counter(_) => SHA1_TAG,
        };
        let Some(end) = buffer.len().checked_sub(tag + RTCP_INDEX).filter(|end| *end >= RTCP_CLEAR) else { return false };
        let ssrc = read_u32(&buffer[4..]);
        let opened = match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let word = read_u32(&buffer[end + tag..]);
                let index = word & !ENCRYPTED;
                if word & ENCRYPTED == 0 || !self.is_new(index) {
                    return false;
                }
                let (clear, rest) = buffer.split_at_mut(RTCP_CLEAR);
                let aad = rtcp_aad(clear, word.to_be_bytes());
                let secret = &mut rest[..end + tag - RTCP_CLEAR];
                key.open_in_place(rtcp_nonce(salt, ssrc, index), Aad::from(aad), secret).is_ok().then_some(index)
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, auth } = &**counter;
                let word = read_u32(&buffer[end..]);
                let index = word & !ENCRYPTED;
                let (signed, signature) = buffer.split_at(end + RTCP_INDEX);
                let expected = hmac::sign(auth, signed);
                let genuine =
                    aws_lc_rs::constant_time::verify_slices_are_equal(&expected.as_ref()[..SHA1_TAG], signature).is_ok();
                if word & ENCRYPTED == 0 || !self.is_new(index) || !genuine {
                    return false;
                }
                counter_mode(key, salt, ssrc, index.into(), &mut buffer[RTCP_CLEAR..end]);
                Some(index)
            }
        };
        let Some(index) = opened else { return false };
        self.note(index);
        buffer.truncate(end);
        true
    }

    fn is_new(&self, index: u32) -> bool {
        match self.newest.checked_sub(index) {
            None => true,
            Some(behind) => behind < REPLAY_WINDOW && self.seen & (1 << behind) == 0,
        }
    }

    fn note(&mut self, index: u32) {
        match index.checked_sub(self.newest) {
            Some(ahead) if ahead > 0 => {
                self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
                self.newest = index;
            }
            _ => self.seen |= 1 << (self.newest - index),
        }
    }
}

/// A master key and salt (RFC 5764 section 4.2).
struct Master<'a> {
    key: &'a [u8],
    salt: &'a [u8],
    gcm: bool,
}

impl<'a> Master<'a> {
    /// The keying material holds the keys of both ends, then the salts of both, the client's first.
    fn cut(keys: &'a KeyingMaterial, profile: SrtpProfile, end: End) -> Option<Self> {
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

    fn derive(&self, of: Use) -> Option<Cipher> {
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
fn counter_mode(key: &EncryptingKey, salt: &[u8; 14], ssrc: u32, index: u64, data: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    xor(&mut iv[4..8], &ssrc.to_be_bytes());
    xor(&mut iv[8..14], &index.to_be_bytes()[2..]);
    key.less_safe_encrypt(data, EncryptionContext::Iv128(FixedLength::from(iv))).expect("counter mode takes any length");
}

/// RFC 7714 section 9.1.
fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> Nonce {
    let mut iv = *salt;
    xor(&mut iv[2..6], &ssrc.to_be_bytes());
    xor(&mut iv[8..12], &index.to_be_bytes());
    Nonce::assume_unique_for_key(iv)
}

fn rtcp_aad(clear: &[u8], word: [u8; 4]) -> [u8; 12] {
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

fn read_u32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: [SrtpProfile; 3] =
        [SrtpProfile::AEAD_AES_256_GCM, SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AES128_CM_SHA1_80];

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    fn material() -> KeyingMaterial {
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

    #[test]
    fn gcm_seals_as_in_rfc_7714_section_16() {
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &hex("000102030405060708090a0b0c0d0e0f")).unwrap());
        let salt = hex("517569642070726f2071756f").try_into().unwrap();
        let sealer = Sealer {
            rtp: Cipher::Gcm { key, salt },
            rtcp: Master::cut(&material(), PROFILES[0], End::DtlsClient).unwrap().derive(Use::Rtcp).unwrap(),
            rtcp_index: 0,
        };
        let mut packet = hex(
            "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573",
        );
        sealer.seal_rtp(&mut packet, 0, 12, 0x5501_a0b2, 0xf17b);
        let expected = hex(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833
             899d7f27 beb16a91 52cf765e e4390cce",
        );
        assert_eq!(packet, expected);
    }

    #[test]
    fn a_report_is_opened_once_and_only_unharmed() {
        let report = [0x80, 201, 0, 1, 1, 2, 3, 4, 9, 9, 9, 9];
        for profile in PROFILES {
            let mut sealer = Sealer::new(&material(), profile, End::DtlsClient).unwrap();
            let mut opener = Opener::new(&material(), profile, End::DtlsClient).unwrap();
            let mut sealed = report.to_vec();
            sealer.seal_rtcp(&mut sealed, 0x0102_0304);
            assert_ne!(sealed[8..12], report[8..]);
            for position in 0..sealed.len() {
                let mut harmed = sealed.clone();
                harmed[position] ^= 1;
                assert!(!opener.open_rtcp(&mut harmed), "{profile:?} took a change at {position}");
            }
            let mut opened = sealed.clone();
            assert!(opener.open_rtcp(&mut opened), "{profile:?}");
            assert_eq!(opened, report);
            assert!(!opener.open_rtcp(&mut sealed.clone()), "a replay");
            assert!(!opener.open_rtcp(&mut sealed[..10].to_vec()));
            assert!(!Opener::new(&material(), profile, End::DtlsServer).unwrap().open_rtcp(&mut sealed), "the other end's key");
        }
    }

    #[test]
    fn reports_may_come_out_of_order_but_not_twice() {
        let mut sealer = Sealer::new(&material(), PROFILES[0], End::DtlsServer).unwrap();
        let mut opener = Opener::new(&material(), PROFILES[0], End::DtlsServer).unwrap();
        let sealed: Vec<Vec<u8>> = (0..100)
            .map(|_| {
                let mut report = vec![0x80, 201, 0, 1, 1, 2, 3, 4];
                sealer.seal_rtcp(&mut report, 0x0102_0304);
                report
            })
            .collect();
        let mut opens = |n: usize| opener.open_rtcp(&mut sealed[n].clone());
        assert!(opens(1) && opens(0) && opens(40));
        assert!(!opens(1) && !opens(0) && !opens(40));
        assert!(opens(2) && !opens(2));
        assert!(opens(99));
        assert!(!opens(3), "too old");
        assert!(opens(98) && !opens(98));
    }
}

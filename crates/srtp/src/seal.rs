//! SRTP and SRTCP for what we send (RFC 3711, RFC 7714). In place, without allocation: sealing is the largest part of
//! forwarding a packet.
//! Invariant: an SRTCP index is used once; who calls `seal_rtp` sees to it that an RTP index is used for one packet.

use aws_lc_rs::aead::Aad;
use aws_lc_rs::hmac;
use str0m::crypto::dtls::{KeyingMaterial, SrtpProfile};

use crate::cipher::{
    Cipher, Counter, ENCRYPTED, End, Master, RTCP_CLEAR, SHA1_TAG, Use, counter_mode, rtcp_aad, rtcp_nonce, rtp_nonce,
};

/// Seals one direction of a connection.
#[derive(Debug)]
pub struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    rtcp_index: u32,
}

impl Sealer {
    /// None for a profile we do not know.
    pub fn new(keys: &KeyingMaterial, profile: SrtpProfile, end: End) -> Option<Self> {
        let master = Master::cut(keys, profile, end)?;
        Some(Self { rtp: master.derive(Use::Rtp)?, rtcp: master.derive(Use::Rtcp)?, rtcp_index: 0 })
    }

    /// The index that the last report was sealed with, 0 before the first.
    pub fn rtcp_index(&self) -> u32 {
        self.rtcp_index
    }

    /// Reports go on after this index: another process has sealed those until then.
    pub fn go_on_after(&mut self, rtcp_index: u32) {
        self.rtcp_index = rtcp_index;
    }

    /// Seals the packet that starts at `start` of the buffer, with a header of `header` bytes, and appends the tag.
    /// `index` is its extended sequence number.
    pub fn seal_rtp(&self, buffer: &mut Vec<u8>, start: usize, header: usize, ssrc: u32, index: u64) {
        let packet = &mut buffer[start..];
        let (clear, secret) = packet.split_at_mut(header);
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let tag = key.seal_in_place_separate_tag(rtp_nonce(salt, ssrc, index), Aad::from(&*clear), secret);
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
    pub fn seal_rtcp(&mut self, buffer: &mut Vec<u8>, ssrc: u32) {
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

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_128_GCM, LessSafeKey, UnboundKey};

    use super::*;
    use crate::cipher::tests::{PROFILES, hex, material};

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
}

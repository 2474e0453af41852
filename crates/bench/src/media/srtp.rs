//! SRTP with AES-GCM (RFC 3711, RFC 7714), both directions of one connection, in place.
//! Invariant: a nonce is used once: packet indices come from the caller and only grow, SRTCP's are counted here.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use str0m::config::CryptoProvider;
use str0m::crypto::dtls::SrtpProfile;

/// What sealing adds to a packet.
pub const TAG: usize = 16;
const SALT: usize = 12;
/// The fixed part of an RTCP header, which is authenticated, not encrypted.
const RTCP_HEADER: usize = 8;

/// The keys of one direction.
pub struct Keys {
    rtp: LessSafeKey,
    rtp_salt: [u8; SALT],
    rtcp: LessSafeKey,
    rtcp_salt: [u8; SALT],
    rtcp_index: u32,
}

/// Both directions, as the DTLS client sees them.
pub struct Session {
    pub sending: Keys,
    pub receiving: Keys,
}

impl Session {
    /// From what the handshake exported. None for a profile that is not AES-GCM, or odd lengths.
    pub fn of_client(crypto: &CryptoProvider, exported: &[u8], profile: SrtpProfile) -> Option<Self> {
        let length = match profile {
            SrtpProfile::AEAD_AES_256_GCM => 32,
            SrtpProfile::AEAD_AES_128_GCM => 16,
            _ => return None,
        };
        if exported.len() != 2 * (length + SALT) {
            return None;
        }
        // The order is the client's key, the server's, the client's salt, the server's (RFC 5764 section 4.2).
        let (keys, salts) = exported.split_at(2 * length);
        let side = |keys: &[u8], salt: &[u8]| Keys::derive(crypto, keys, salt);
        Some(Self { sending: side(&keys[..length], &salts[..SALT])?, receiving: side(&keys[length..], &salts[SALT..])? })
    }
}

impl Keys {
    fn derive(crypto: &CryptoProvider, master: &[u8], salt: &[u8]) -> Option<Self> {
        let key = |label| {
            let bytes = derived::<32>(crypto, master, salt, label);
            let algorithm = if master.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
            UnboundKey::new(algorithm, &bytes[..master.len()]).ok().map(LessSafeKey::new)
        };
        Some(Self {
            rtp: key(0)?,
            rtp_salt: derived(crypto, master, salt, 2),
            rtcp: key(3)?,
            rtcp_salt: derived(crypto, master, salt, 5),
            rtcp_index: 0,
        })
    }

    /// Seals an RTP packet whose header ends at `header`; `index` is its sequence number with roll-overs.
    pub fn seal_rtp(&self, packet: &mut Vec<u8>, header: usize, ssrc: u32, index: u64) {
        let (head, body) = packet.split_at_mut(header);
        let nonce = rtp_nonce(&self.rtp_salt, ssrc, index);
        let tag = self.rtp.seal_in_place_separate_tag(nonce, Aad::from(&*head), body);
        packet.extend_from_slice(tag.expect("a packet is far below the limit of AES-GCM").as_ref());
    }

    /// Opens an RTP packet; the payload. None if it was not sealed with these keys.
    pub fn open_rtp<'a>(&self, packet: &'a mut [u8], header: usize, ssrc: u32, index: u64) -> Option<&'a mut [u8]> {
        let (head, body) = packet.split_at_mut_checked(header)?;
        self.rtp.open_in_place(rtp_nonce(&self.rtp_salt, ssrc, index), Aad::from(&*head), body).ok()
    }

    /// Seals a compound RTCP packet.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) {
        self.rtcp_index += 1;
        let trailer = (self.rtcp_index | 1 << 31).to_be_bytes();
        let nonce = rtcp_nonce(&self.rtcp_salt, packet, self.rtcp_index);
        let (head, body) = packet.split_at_mut(RTCP_HEADER);
        let mut aad = [0; RTCP_HEADER + 4];
        aad[..RTCP_HEADER].copy_from_slice(head);
        aad[RTCP_HEADER..].copy_from_slice(&trailer);
        let tag = self.rtcp.seal_in_place_separate_tag(nonce, Aad::from(aad), body);
        packet.extend_from_slice(tag.expect("a packet is far below the limit of AES-GCM").as_ref());
        packet.extend_from_slice(&trailer);
    }

    /// Opens a compound RTCP packet; all of it in the clear.
    pub fn open_rtcp<'a>(&self, packet: &'a mut [u8]) -> Option<&'a [u8]> {
        let trailer: [u8; 4] = packet.last_chunk().copied()?;
        let end = packet.len() - trailer.len();
        if end < RTCP_HEADER + TAG || trailer[0] & 0x80 == 0 {
            return None;
        }
        let nonce = rtcp_nonce(&self.rtcp_salt, packet, u32::from_be_bytes(trailer) & !(1 << 31));
        let mut aad = [0; RTCP_HEADER + 4];
        aad[..RTCP_HEADER].copy_from_slice(&packet[..RTCP_HEADER]);
        aad[RTCP_HEADER..].copy_from_slice(&trailer);
        let plain = self.rtcp.open_in_place(nonce, Aad::from(aad), &mut packet[RTCP_HEADER..end]).ok()?.len();
        Some(&packet[..RTCP_HEADER + plain])
    }
}

/// AES in counter mode over the salt and a label (RFC 3711 section 4.3.3).
fn derived<const N: usize>(crypto: &CryptoProvider, master: &[u8], salt: &[u8], label: u8) -> [u8; N] {
    let mut input = [0; 16];
    input[..salt.len()].copy_from_slice(salt);
    input[7] ^= label;
    let mut output = [0; N];
    for (round, part) in (0u16..).zip(output.chunks_mut(16)) {
        input[14..].copy_from_slice(&round.to_be_bytes());
        // Twice the block: some back ends write padding behind it.
        let mut block = [0; 32];
        match master.len() {
            32 => crypto.srtp_provider.srtp_aes_256_ecb_round(master, &input, &mut block),
            _ => crypto.srtp_provider.srtp_aes_128_ecb_round(master, &input, &mut block),
        }
        part.copy_from_slice(&block[..part.len()]);
    }
    output
}

fn rtp_nonce(salt: &[u8; SALT], ssrc: u32, index: u64) -> Nonce {
    let mut nonce = *salt;
    mix(&mut nonce[2..6], &ssrc.to_be_bytes());
    mix(&mut nonce[6..12], &index.to_be_bytes()[2..]);
    Nonce::assume_unique_for_key(nonce)
}

fn rtcp_nonce(salt: &[u8; SALT], packet: &[u8], index: u32) -> Nonce {
    let mut nonce = *salt;
    mix(&mut nonce[2..6], &packet[4..8]);
    mix(&mut nonce[8..12], &index.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn mix(into: &mut [u8], bytes: &[u8]) {
    for (into, byte) in into.iter_mut().zip(bytes) {
        *into ^= byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(profile: SrtpProfile, length: usize) -> (Keys, Keys) {
        let crypto = str0m::crypto::from_feature_flags();
        let exported: Vec<u8> = (0..2 * (length + SALT) as u8).collect();
        let one = Session::of_client(&crypto, &exported, profile).unwrap();
        let other = Session::of_client(&crypto, &exported, profile).unwrap();
        (one.sending, other.sending)
    }

    #[test]
    fn what_is_sealed_can_be_opened_and_nothing_else() {
        for (profile, length) in [(SrtpProfile::AEAD_AES_256_GCM, 32), (SrtpProfile::AEAD_AES_128_GCM, 16)] {
            let (mut one, other) = pair(profile, length);
            let mut packet = [&[0x80u8, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7][..], b"payload"].concat();
            one.seal_rtp(&mut packet, 12, 7, 65_537);
            assert!(!packet.windows(7).any(|part| part == b"payload"));
            assert!(other.open_rtp(&mut packet.clone(), 12, 7, 1).is_none(), "another roll-over");
            assert_eq!(other.open_rtp(&mut packet, 12, 7, 65_537).unwrap(), b"payload");

            let plain = [0x81u8, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
            let mut report = plain.to_vec();
            one.seal_rtcp(&mut report);
            let mut broken = report.clone();
            broken[9] ^= 1;
            assert!(other.open_rtcp(&mut broken).is_none());
            assert_eq!(other.open_rtcp(&mut report).unwrap(), plain);
        }
    }

    #[test]
    fn other_profiles_are_refused() {
        let crypto = str0m::crypto::from_feature_flags();
        assert!(Session::of_client(&crypto, &[0; 60], SrtpProfile::AES128_CM_SHA1_80).is_none());
        assert!(Session::of_client(&crypto, &[0; 60], SrtpProfile::AEAD_AES_256_GCM).is_none());
    }
}

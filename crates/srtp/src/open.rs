//! SRTP and SRTCP of what we get (RFC 3711, RFC 7714), in place. The SFU opens reports only: str0m opens its packets.
//! Invariant: a report is opened at most once. Packets may be opened again: who counts them knows those that came before.

use aws_lc_rs::aead::Aad;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use str0m::crypto::dtls::{KeyingMaterial, SrtpProfile};

use crate::cipher::{
    Cipher, Counter, ENCRYPTED, End, GCM_TAG, Master, RTCP_CLEAR, RTCP_INDEX, SHA1_TAG, Use, counter_mode, read_u32, rtcp_aad,
    rtcp_nonce, rtp_nonce,
};

/// How far behind the newest an SRTCP packet may come and still be taken (RFC 3711 section 3.3.2).
const REPLAY_WINDOW: u32 = 64;

/// Senders of reports that are told apart on one connection. Whoever has more lines than this is not protected against the
/// repetition of what a sender said that was not heard of for the longest: a key frame is asked for once more.
const SENDERS: usize = 256;

/// Opens the SRTP of one direction.
#[derive(Debug)]
pub struct RtpOpener {
    rtp: Cipher,
}

/// Opens the SRTCP of one direction. Each sender (SSRC) counts its reports on its own (RFC 3711 section 3.2.3): browsers built
/// on libwebrtc report with one for all lines, Firefox with one for each (seen in 153).
#[derive(Debug)]
pub struct RtcpOpener {
    rtcp: Cipher,
    /// By SSRC, the one heard last first.
    senders: Vec<(u32, Window)>,
}

/// Which reports of a sender came.
#[derive(Debug, Default)]
struct Window {
    newest: u32,
    /// Bit n: the packet n before the newest came already.
    seen: u64,
}

impl RtpOpener {
    /// None for a profile we do not know.
    pub fn new(keys: &KeyingMaterial, profile: SrtpProfile, end: End) -> Option<Self> {
        Some(Self { rtp: Master::cut(keys, profile, end)?.derive(Use::Rtp)? })
    }

    /// Opens a packet with a header of `header` bytes in place; its payload. `index` is its extended sequence number.
    /// None if it is not genuine.
    pub fn open<'a>(&self, packet: &'a mut [u8], header: usize, ssrc: u32, index: u64) -> Option<&'a mut [u8]> {
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                let (clear, secret) = packet.split_at_mut_checked(header)?;
                key.open_in_place(rtp_nonce(salt, ssrc, index), Aad::from(&*clear), secret).ok()
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, auth } = &**counter;
                let end = packet.len().checked_sub(SHA1_TAG).filter(|end| *end >= header)?;
                let (signed, signature) = packet.split_at_mut(end);
                let mut expected = hmac::Context::with_key(auth);
                expected.update(signed);
                expected.update(&((index >> 16) as u32).to_be_bytes());
                verify_slices_are_equal(&expected.sign().as_ref()[..SHA1_TAG], signature).ok()?;
                let secret = &mut signed[header..];
                counter_mode(key, salt, ssrc, index, secret);
                Some(secret)
            }
        }
    }
}

impl RtcpOpener {
    /// None for a profile we do not know.
    pub fn new(keys: &KeyingMaterial, profile: SrtpProfile, end: End) -> Option<Self> {
        let master = Master::cut(keys, profile, end)?;
        Some(Self { rtcp: master.derive(Use::Rtcp)?, senders: Vec::new() })
    }

    /// Opens an SRTCP packet in place; all of the plain compound packet. None if it is not genuine, came before, or is
    /// too old.
    pub fn open<'a>(&mut self, packet: &'a mut [u8]) -> Option<&'a [u8]> {
        let tag = match &self.rtcp {
            Cipher::Gcm { .. } => GCM_TAG,
            Cipher::Counter(_) => SHA1_TAG,
        };
        let end = packet.len().checked_sub(tag + RTCP_INDEX).filter(|end| *end >= RTCP_CLEAR)?;
        let ssrc = read_u32(&packet[4..]);
        let word = match &self.rtcp {
            Cipher::Gcm { .. } => read_u32(&packet[end + tag..]),
            Cipher::Counter(_) => read_u32(&packet[end..]),
        };
        let index = word & !ENCRYPTED;
        let known = self.senders.iter().position(|(sender, _)| *sender == ssrc);
        if word & ENCRYPTED == 0 || known.is_some_and(|known| !self.senders[known].1.is_new(index)) {
            return None;
        }
        match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                let (clear, rest) = packet.split_at_mut(RTCP_CLEAR);
                let aad = rtcp_aad(clear, word.to_be_bytes());
                let secret = &mut rest[..end + tag - RTCP_CLEAR];
                key.open_in_place(rtcp_nonce(salt, ssrc, index), Aad::from(aad), secret).ok()?;
            }
            Cipher::Counter(counter) => {
                let Counter { key, salt, auth } = &**counter;
                let (signed, signature) = packet.split_at(end + RTCP_INDEX);
                verify_slices_are_equal(&hmac::sign(auth, signed).as_ref()[..SHA1_TAG], signature).ok()?;
                counter_mode(key, salt, ssrc, index.into(), &mut packet[RTCP_CLEAR..end]);
            }
        }
        self.heard(known, ssrc).note(index);
        Some(&packet[..end])
    }

    /// The window of a sender who was heard just now.
    fn heard(&mut self, known: Option<usize>, ssrc: u32) -> &mut Window {
        match known {
            Some(known) => self.senders[..=known].rotate_right(1),
            None => {
                self.senders.truncate(SENDERS - 1);
                self.senders.insert(0, (ssrc, Window::default()));
            }
        }
        &mut self.senders[0].1
    }
}

impl Window {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sealer;
    use crate::cipher::tests::{PROFILES, material};

    #[test]
    fn a_report_is_opened_once_and_only_unharmed() {
        let report = [0x80, 201, 0, 1, 1, 2, 3, 4, 9, 9, 9, 9];
        for profile in PROFILES {
            let mut sealer = Sealer::new(&material(), profile, End::DtlsClient).unwrap();
            let mut opener = RtcpOpener::new(&material(), profile, End::DtlsClient).unwrap();
            let mut sealed = report.to_vec();
            sealer.seal_rtcp(&mut sealed, 0x0102_0304);
            assert_ne!(sealed[8..12], report[8..]);
            for position in 0..sealed.len() {
                let mut harmed = sealed.clone();
                harmed[position] ^= 1;
                assert!(opener.open(&mut harmed).is_none(), "{profile:?} took a change at {position}");
            }
            assert_eq!(opener.open(&mut sealed.clone()), Some(&report[..]), "{profile:?}");
            assert_eq!(opener.open(&mut sealed.clone()), None, "a replay");
            assert_eq!(opener.open(&mut sealed[..10]), None);
            assert_eq!(
                RtcpOpener::new(&material(), profile, End::DtlsServer).unwrap().open(&mut sealed),
                None,
                "the other end's key"
            );
        }
    }

    #[test]
    fn reports_may_come_out_of_order_but_not_twice() {
        let mut sealer = Sealer::new(&material(), PROFILES[0], End::DtlsServer).unwrap();
        let mut opener = RtcpOpener::new(&material(), PROFILES[0], End::DtlsServer).unwrap();
        let sealed: Vec<Vec<u8>> = (0..100)
            .map(|_| {
                let mut report = vec![0x80, 201, 0, 1, 1, 2, 3, 4];
                sealer.seal_rtcp(&mut report, 0x0102_0304);
                report
            })
            .collect();
        let mut opens = |n: usize| opener.open(&mut sealed[n].clone()).is_some();
        assert!(opens(1) && opens(0) && opens(40));
        assert!(!opens(1) && !opens(0) && !opens(40));
        assert!(opens(2) && !opens(2));
        assert!(opens(99));
        assert!(!opens(3), "too old");
        assert!(opens(98) && !opens(98));
    }

    #[test]
    fn each_sender_counts_its_own_reports() {
        let report_of = |sealer: &mut Sealer, ssrc: u32| {
            let mut report = [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat();
            sealer.seal_rtcp(&mut report, ssrc);
            report
        };
        for profile in PROFILES {
            let mut opener = RtcpOpener::new(&material(), profile, End::DtlsServer).unwrap();
            // One has said much when the other begins.
            let mut first = Sealer::new(&material(), profile, End::DtlsServer).unwrap();
            let said: Vec<_> = (0..200).map(|_| report_of(&mut first, 1)).collect();
            assert!(said.iter().all(|report| opener.open(&mut report.clone()).is_some()));
            let mut second = Sealer::new(&material(), profile, End::DtlsServer).unwrap();
            let late: Vec<_> = (0..3).map(|_| report_of(&mut second, 2)).collect();
            for report in &late {
                assert!(opener.open(&mut report.clone()).is_some(), "{profile:?}: the other's number is its own");
            }
            for report in late.iter().chain(&said) {
                assert!(opener.open(&mut report.clone()).is_none(), "{profile:?}: a replay");
            }
            // Who names ever new senders has them forgotten, the oldest first, and makes nothing grow.
            for ssrc in 3..3 + 2 * SENDERS as u32 {
                let mut other = Sealer::new(&material(), profile, End::DtlsServer).unwrap();
                assert!(opener.open(&mut report_of(&mut other, ssrc)).is_some());
            }
            assert_eq!(opener.senders.len(), SENDERS);
        }
    }

    #[test]
    fn a_packet_is_opened_only_unharmed_and_with_its_own_number() {
        let plain = [&[0x80u8, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7][..], b"payload"].concat();
        for profile in PROFILES {
            let sealer = Sealer::new(&material(), profile, End::DtlsClient).unwrap();
            let opener = RtpOpener::new(&material(), profile, End::DtlsClient).unwrap();
            let mut sealed = plain.clone();
            sealer.seal_rtp(&mut sealed, 0, 12, 7, 65_537);
            assert!(!sealed.windows(7).any(|part| part == b"payload"));
            for position in 0..sealed.len() {
                let mut harmed = sealed.clone();
                harmed[position] ^= 1;
                assert!(opener.open(&mut harmed, 12, 7, 65_537).is_none(), "{profile:?} took a change at {position}");
            }
            assert!(opener.open(&mut sealed.clone(), 12, 7, 1).is_none(), "another roll-over");
            for length in 0..sealed.len() {
                assert!(opener.open(&mut sealed[..length].to_vec(), 12, 7, 65_537).is_none(), "cut at {length}");
            }
            assert_eq!(opener.open(&mut sealed, 12, 7, 65_537).unwrap(), b"payload", "{profile:?}");
        }
    }

    #[test]
    fn keys_that_are_too_short_are_none() {
        let short = KeyingMaterial::new(&[0; 60]);
        assert!(RtpOpener::new(&short, PROFILES[0], End::DtlsServer).is_none());
    }
}

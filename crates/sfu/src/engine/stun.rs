//! The few STUN messages that are ours and not str0m's (RFC 8489): how they are written, sealed and verified.
//! Next: `farewell.rs` refuses, `transport/connection.rs` asks for consent.

use aws_lc_rs::{constant_time, hmac};

/// Types of messages (RFC 8489 section 5).
pub(crate) const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
pub(crate) const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
pub(crate) const ERROR_CODE: u16 = 0x0009;
const PRIORITY: u16 = 0x0024;
const FINGERPRINT: u16 = 0x8028;
const USE_CANDIDATE: u16 = 0x0025;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;

const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

pub(crate) const HEADER: usize = 20;
/// Type and length, and an HMAC-SHA1.
pub(crate) const INTEGRITY: usize = 24;
const FINGERPRINT_MASK: u32 = 0x5354_554e;

/// The priority of a peer-reflexive candidate (RFC 8445 section 7.1.1); nobody chooses by it.
const PEER_REFLEXIVE: u32 = 110 << 24 | 0xffff << 8 | 255;

pub(crate) fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

/// A check of ours, as the controlled side writes it (RFC 8445 section 7.1).
pub(crate) fn check(transaction: [u8; 12], username: &str, password: &str) -> Vec<u8> {
    let mut check = Vec::with_capacity(check_length(username));
    check.extend(BINDING_REQUEST.to_be_bytes());
    check.extend([0, 0]);
    check.extend(MAGIC);
    check.extend(transaction);
    attribute(&mut check, USERNAME, username.as_bytes());
    attribute(&mut check, PRIORITY, &PEER_REFLEXIVE.to_be_bytes());
    // The tie-breaker counts only when both sides want the same role; a full agent takes the other one from a lite one.
    attribute(&mut check, ICE_CONTROLLED, &[0; 8]);
    seal(&mut check, &key(password));
    check
}

/// A check as the client would write it that chooses its path for media.
pub(crate) fn nomination(transaction: [u8; 12], username: &str, password: &str) -> Vec<u8> {
    let mut check = BINDING_REQUEST.to_be_bytes().to_vec();
    check.extend([0, 0]);
    check.extend(MAGIC);
    check.extend(transaction);
    attribute(&mut check, USERNAME, username.as_bytes());
    attribute(&mut check, PRIORITY, &PEER_REFLEXIVE.to_be_bytes());
    attribute(&mut check, ICE_CONTROLLING, &[0xff; 8]);
    attribute(&mut check, USE_CANDIDATE, &[]);
    seal(&mut check, &key(password));
    check
}

pub(crate) fn check_length(username: &str) -> usize {
    HEADER + 4 + username.len().next_multiple_of(4) + 8 + 12 + INTEGRITY + 8
}

/// The transaction that a datagram answers, if it is an answer to a check.
pub(crate) fn answers(datagram: &[u8]) -> Option<[u8; 12]> {
    let [t0, t1, _, _, m0, m1, m2, m3, transaction @ ..] = datagram.get(..HEADER)? else { return None };
    let is_answer = [BINDING_SUCCESS, BINDING_ERROR].contains(&u16::from_be_bytes([*t0, *t1])) && [*m0, *m1, *m2, *m3] == MAGIC;
    is_answer.then(|| transaction.try_into().ok()).flatten()
}

/// Whether a message says yes, and was sealed with this key.
pub(crate) fn agrees(key: &hmac::Key, message: &[u8]) -> bool {
    message.starts_with(&BINDING_SUCCESS.to_be_bytes()) && verify(key, message)
}

/// Whether a message was sealed with this key.
pub(crate) fn verify(key: &hmac::Key, message: &[u8]) -> bool {
    let Some(at) = integrity_at(message) else { return false };
    let Some(claimed) = message.get(at + 4..at + INTEGRITY) else { return false };
    let mut signed = message[..at].to_vec();
    // The length that was signed ends with the attribute itself (RFC 8489 section 14.5).
    set_length(&mut signed, INTEGRITY);
    constant_time::verify_slices_are_equal(hmac::sign(key, &signed).as_ref(), claimed).is_ok()
}

/// Signs a message and ends it.
pub(crate) fn seal(message: &mut Vec<u8>, key: &hmac::Key) {
    set_length(message, INTEGRITY);
    let tag = hmac::sign(key, message);
    attribute(message, MESSAGE_INTEGRITY, tag.as_ref());
    set_length(message, 8);
    let fingerprint = crc32fast::hash(message) ^ FINGERPRINT_MASK;
    attribute(message, FINGERPRINT, &fingerprint.to_be_bytes());
}

/// Where the MESSAGE-INTEGRITY attribute begins.
pub(crate) fn integrity_at(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    while let Some([t0, t1, l0, l1]) = message.get(at..at + 4) {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        if u16::from_be_bytes([*t0, *t1]) == MESSAGE_INTEGRITY {
            return (length == INTEGRITY - 4).then_some(at);
        }
        at += 4 + length.next_multiple_of(4);
    }
    None
}

/// Writes the length of a message that `more` bytes will be added to.
pub(crate) fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len() - HEADER + more) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// Values are padded to whole words.
pub(crate) fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::demux;

    #[test]
    fn a_check_of_ours_is_as_long_as_said_and_can_be_read() {
        for name in ["a:b", "client:server", "four:four"] {
            let check = check([7; 12], name, "a password");
            assert_eq!(check.len(), check_length(name));
            assert_eq!(usize::from(u16::from_be_bytes([check[2], check[3]])), check.len() - HEADER);
            assert!(demux::is_stun(&check) && verify(&key("a password"), &check) && !verify(&key("another"), &check));
            assert_eq!(demux::addressee(&check), name.split(':').next());
        }
    }

    #[test]
    fn an_answer_names_its_transaction_and_is_believed_only_sealed() {
        let mut answer = BINDING_SUCCESS.to_be_bytes().to_vec();
        answer.extend([0, 0]);
        answer.extend(MAGIC);
        answer.extend([9; 12]);
        assert!(!agrees(&key("p"), &answer));
        seal(&mut answer, &key("p"));
        assert_eq!(answers(&answer), Some([9; 12]));
        assert!(agrees(&key("p"), &answer) && !agrees(&key("q"), &answer));
        for end in 0..HEADER {
            assert_eq!(answers(&answer[..end]), None);
        }
        answer[1] = 0x11;
        assert_eq!(answers(&answer), Some([9; 12]), "a refusal is an answer, too");
        assert!(!agrees(&key("p"), &answer));
        assert_eq!(answers(&check([1; 12], "a:b", "p")), None);
    }
}

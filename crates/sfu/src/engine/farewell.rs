//! Telling clients at once that a connection is gone, also one that a run before this one had.
//! ICE passwords are derived from the ICE name and a lasting secret, so a check for a connection that nobody knows can be
//! proven to come from a client of ours, and be refused in a way its browser believes (RFC 8489 section 9.1).
//! Invariant: only a check with the right password is answered, so strangers can neither probe nor bounce.

use aws_lc_rs::hmac;
use str0m::IceCreds;

use super::demux;
use super::stun::{BINDING_ERROR, BINDING_REQUEST, ERROR_CODE, HEADER, attribute, key, seal, verify};
use crate::{Role, Tag};

/// Forbidden. Chromium gives a candidate pair up at once on any code but 401, 420, 487 and 500 (read in libwebrtc).
const FORBIDDEN: [u8; 4] = [0, 0, 4, 3];

/// What a name tells a later run: whose transport it is of, and which way that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub role: Role,
    pub tag: Tag,
}

/// What it begins with: the rest of a name has none.
const MARK: char = '+';

impl Mark {
    /// What stands in a name, if it has one: those of earlier versions do not.
    pub(crate) fn in_name(name: &str) -> Option<Self> {
        // The first letter may be any.
        let (_, mark) = name.get(1..)?.split_once(MARK)?;
        let role = if mark.starts_with('s') { Role::Send } else { Role::Receive };
        let tag = Tag::read(mark.strip_prefix(['s', 'r'])?)?;
        Some(Self { role, tag })
    }
}

impl From<Role> for Mark {
    /// Of nobody in particular.
    fn from(role: Role) -> Self {
        Self { role, tag: Tag::default() }
    }
}

/// Gives out ICE credentials, and recognises its own.
#[derive(Debug)]
pub(crate) struct Farewell {
    secret: hmac::Key,
    /// What names begin with.
    letter: char,
}

impl Farewell {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self { secret: hmac::Key::new(hmac::HMAC_SHA256, secret), letter: demux::letter_of(0) }
    }

    /// Names shall tell that they are of this media thread.
    pub(crate) fn give_out_for(&mut self, thread: usize) {
        self.letter = demux::letter_of(thread);
    }

    /// A random name with this mark, and the password that belongs to it.
    pub(crate) fn credentials(&self, mark: Mark) -> IceCreds {
        let way = if mark.role == Role::Send { 's' } else { 'r' };
        let ufrag = format!("{}{}{MARK}{way}{}", self.letter, IceCreds::new().ufrag, mark.tag);
        IceCreds { pass: self.password(&ufrag), ufrag }
    }

    /// The password that belongs to a name that was given out.
    pub(crate) fn credentials_of(&self, ufrag: &str) -> IceCreds {
        IceCreds { pass: self.password(ufrag), ufrag: ufrag.to_owned() }
    }

    /// 128 bits as text: ICE wants at least 22 characters (RFC 8445 section 5.3).
    fn password(&self, ufrag: &str) -> String {
        hex::encode(&hmac::sign(&self.secret, ufrag.as_bytes()).as_ref()[..16])
    }

    /// Signs a message as a client with this name would, and makes a request of it. False if there is no place for it.
    #[cfg(any(test, feature = "inside"))]
    pub(crate) fn sign(&self, name: &str, message: &mut [u8]) -> bool {
        let Some(at) = super::stun::integrity_at(message).filter(|at| message.len() >= at + super::stun::INTEGRITY) else {
            return false;
        };
        message[..2].copy_from_slice(&BINDING_REQUEST.to_be_bytes());
        let key = key(&self.password(name));
        let mut signed = message[..at].to_vec();
        super::stun::set_length(&mut signed, super::stun::INTEGRITY);
        message[at + 4..at + super::stun::INTEGRITY].copy_from_slice(hmac::sign(&key, &signed).as_ref());
        true
    }

    /// Whether a client of ours sent this connectivity check that is addressed to `name`, in this run or an earlier one.
    pub(crate) fn is_genuine(&self, name: &str, check: &[u8]) -> bool {
        self.verify(name, check).is_some()
    }

    /// The key that a genuine check is signed with.
    fn verify(&self, name: &str, check: &[u8]) -> Option<hmac::Key> {
        if u16::from_be_bytes(check.get(..2)?.try_into().ok()?) != BINDING_REQUEST {
            return None;
        }
        let key = key(&self.password(name));
        verify(&key, check).then_some(key)
    }

    /// The refusal of a connectivity check that is addressed to `name`, if a client of ours sent it.
    pub(crate) fn refuse(&self, name: &str, check: &[u8]) -> Option<Vec<u8>> {
        let key = self.verify(name, check)?;
        let mut refusal = BINDING_ERROR.to_be_bytes().to_vec();
        refusal.extend([0, 0]);
        // The magic cookie and the transaction id.
        refusal.extend(&check[4..HEADER]);
        attribute(&mut refusal, ERROR_CODE, &FORBIDDEN);
        seal(&mut refusal, &key);
        Some(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stun::{INTEGRITY, MESSAGE_INTEGRITY, integrity_at, set_length};
    use super::*;

    /// A check as a browser sends it, addressed to `name`.
    fn check(name: &str, password: &str) -> Vec<u8> {
        let mut message = BINDING_REQUEST.to_be_bytes().to_vec();
        message.extend([0, 0, 0x21, 0x12, 0xa4, 0x42]);
        message.extend(*b"transactions");
        let username = format!("{name}:them");
        message.extend([0, 6]);
        message.extend((username.len() as u16).to_be_bytes());
        message.extend(username.bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        set_length(&mut message, INTEGRITY);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        let tag = hmac::sign(&key, &message);
        attribute(&mut message, MESSAGE_INTEGRITY, tag.as_ref());
        message
    }

    #[test]
    fn a_client_of_an_earlier_run_is_refused_in_words_it_believes() {
        let before = Farewell::new(&[7; 32]).credentials(Role::Send.into());
        let now = Farewell::new(&[7; 32]);
        let check = check(&before.ufrag, &before.pass);
        let refusal = now.refuse(&before.ufrag, &check).expect("it is one of ours");
        assert_eq!(refusal[..2], BINDING_ERROR.to_be_bytes());
        assert_eq!(refusal[4..HEADER], check[4..HEADER], "the same transaction");
        assert_eq!(usize::from(u16::from_be_bytes([refusal[2], refusal[3]])), refusal.len() - HEADER);
        // Signed with the same password, over everything before it.
        let at = integrity_at(&refusal).expect("it is signed");
        let mut signed = refusal[..at].to_vec();
        set_length(&mut signed, INTEGRITY);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, before.pass.as_bytes());
        assert_eq!(hmac::sign(&key, &signed).as_ref(), &refusal[at + 4..at + INTEGRITY]);
    }

    #[test]
    fn a_name_tells_whose_transport_it_is_of() {
        let mut farewell = Farewell::new(&[7; 32]);
        for role in [Role::Send, Role::Receive] {
            for thread in 0..64 {
                farewell.give_out_for(thread);
                let mark = Mark { role, tag: Tag::of(&["ada"]) };
                assert_eq!(Mark::in_name(&farewell.credentials(mark).ufrag), Some(mark));
            }
        }
        for other in ["", "+", "A", "Aabcdefghijklmnop", "++s", "Aabc+x0000000000000000", "Aabc+s000000000000000g", "ä+s"] {
            assert_eq!(Mark::in_name(other), None, "{other}");
        }
    }

    #[test]
    fn strangers_get_no_answer() {
        let farewell = Farewell::new(&[7; 32]);
        let ours = farewell.credentials(Role::Send.into());
        let good = check(&ours.ufrag, &ours.pass);
        assert_eq!(farewell.refuse(&ours.ufrag, &check(&ours.ufrag, "a guess")), None);
        assert_eq!(Farewell::new(&[8; 32]).refuse(&ours.ufrag, &good), None, "another server's client");
        assert_eq!(farewell.refuse("other", &good), None);
        for end in 0..good.len() {
            assert_eq!(farewell.refuse(&ours.ufrag, &good[..end]), None, "cut at {end}");
        }
        for at in 0..good.len() {
            let mut spoilt = good.clone();
            spoilt[at] ^= 0x40;
            // The length field is not part of what is read, only of what is signed.
            assert!(matches!(at, 2 | 3) || farewell.refuse(&ours.ufrag, &spoilt).is_none(), "spoilt at {at}");
        }
    }

    #[test]
    fn names_and_passwords_are_long_enough() {
        let credentials = Farewell::new(&[7; 32]).credentials(Role::Send.into());
        assert!(credentials.ufrag.len() >= 4);
        assert_eq!(credentials.pass.len(), 32);
    }
}

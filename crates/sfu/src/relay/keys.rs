//! The keys of a pair of nodes, for one connection between them: agreed over it (X25519), so that whoever listens there later
//! or by the way cannot open what is sent, and mixed with the secret of the cluster, so that nobody steps in between.
//! Invariant: each way has a key of its own, and no counter is used twice with one (AES-128-GCM).

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

use super::window::Window;

/// What a datagram between nodes begins with: what it is, whose it is, and its counter.
const MARK: u8 = 0xa7;
pub(crate) const HEAD_BYTES: usize = 13;

/// Our half of an agreement.
pub struct Half {
    private: PrivateKey,
    public: [u8; 32],
}

impl Half {
    /// None if the crypto library makes none.
    pub fn new() -> Option<Self> {
        let private = PrivateKey::generate(&X25519).ok()?;
        let public = private.compute_public_key().ok()?.as_ref().try_into().ok()?;
        Some(Self { private, public })
    }

    /// What the other side needs of it.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The keys for what is sealed here and what is opened here. `asked` on the side that began the connection.
    pub fn agree(&self, theirs: &[u8], secret: &[u8], asked: bool) -> Option<Keys> {
        let peer = UnparsedPublicKey::new(&X25519, theirs);
        let both: [u8; 32] = agree(&self.private, peer, (), |both| both.try_into().map_err(|_| ())).ok()?;
        let (first, second) = if asked { (&self.public[..], theirs) } else { (theirs, &self.public[..]) };
        let parts = [b"salon media between nodes".as_slice(), first, second];
        let mut keys = [0; 32];
        Salt::new(HKDF_SHA256, secret).extract(&both).expand(&parts, HKDF_SHA256).ok()?.fill(&mut keys).ok()?;
        let key = |bytes: &[u8]| UnboundKey::new(&AES_128_GCM, bytes).ok().map(LessSafeKey::new);
        let (there, back) = (key(&keys[..16])?, key(&keys[16..])?);
        Some(if asked { Keys { seals: there, opens: back } } else { Keys { seals: back, opens: there } })
    }
}

/// The keys of one side.
pub struct Keys {
    seals: LessSafeKey,
    opens: LessSafeKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// Seals and opens the datagrams of a connection.
#[derive(Debug)]
pub(crate) struct Sealed {
    keys: Keys,
    /// What the other side calls this connection.
    theirs: u32,
    counter: u64,
    came: Window,
}

impl Sealed {
    pub(crate) fn new(keys: Keys, theirs: u32) -> Self {
        Self { keys, theirs, counter: 0, came: Window::default() }
    }

    pub(crate) fn seal(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        self.counter += 1;
        let mut datagram = Vec::with_capacity(HEAD_BYTES + plain.len() + AES_128_GCM.tag_len());
        datagram.push(MARK);
        datagram.extend(self.theirs.to_be_bytes());
        datagram.extend(self.counter.to_be_bytes());
        datagram.extend(plain);
        let (head, body) = datagram.split_at_mut(HEAD_BYTES);
        let tag = self.keys.seals.seal_in_place_separate_tag(nonce(self.counter), Aad::from(&*head), body).ok()?;
        datagram.extend(tag.as_ref());
        Some(datagram)
    }

    /// What is in a datagram that has not come before. It is opened where it lies.
    pub(crate) fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let (head, body) = datagram.split_at_mut_checked(HEAD_BYTES)?;
        let counter = u64::from_be_bytes(head[5..].try_into().ok()?);
        if !self.came.is_new(counter) {
            return None;
        }
        let plain = self.keys.opens.open_in_place(nonce(counter), Aad::from(&*head), body).ok()?;
        self.came.take(counter);
        Some(plain)
    }
}

/// Which connection a datagram says it is for.
pub(crate) fn addressee(datagram: &[u8]) -> Option<u32> {
    let head = datagram.get(..HEAD_BYTES).filter(|head| head[0] == MARK)?;
    Some(u32::from_be_bytes(head[1..5].try_into().ok()?))
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The keys of both sides.
    pub(crate) fn pair(secrets: [&[u8]; 2]) -> (Keys, Keys) {
        let (one, other) = (Half::new().expect("a key"), Half::new().expect("a key"));
        let keys = one.agree(other.public(), secrets[0], true).expect("agreed");
        (keys, other.agree(one.public(), secrets[1], false).expect("agreed"))
    }

    #[test]
    fn what_one_side_seals_the_other_opens_once() {
        let (one, other) = pair([b"s", b"s"]);
        let (mut one, mut other) = (Sealed::new(one, 7), Sealed::new(other, 9));
        let there = one.seal(b"hello").expect("sealed");
        assert_eq!(addressee(&there), Some(7));
        assert!(!there.windows(5).any(|part| part == b"hello"));
        let mut damaged = there.clone();
        damaged[HEAD_BYTES] ^= 1;
        assert_eq!(other.open(&mut damaged), None);
        assert_eq!(other.open(&mut there.clone()), Some(&b"hello"[..]));
        assert_eq!(other.open(&mut there.clone()), None, "a replay");
        let mut moved = one.seal(b"hello").expect("sealed");
        moved[4] ^= 1;
        assert_eq!(other.open(&mut moved), None, "of another connection");
        let mut back = other.seal(b"back").expect("sealed");
        assert_eq!(other.open(&mut back.clone()), None, "one's own");
        assert_eq!(one.open(&mut back), Some(&b"back"[..]));
        assert_eq!(one.open(&mut [0; 3]), None);
    }

    #[test]
    fn who_does_not_know_the_secret_agrees_on_nothing() {
        let (one, other) = pair([b"s", b"t"]);
        let mut sealed = Sealed::new(one, 1).seal(b"hello").expect("sealed");
        assert_eq!(Sealed::new(other, 1).open(&mut sealed), None);
    }
}

//! Whose datagram is this? By remote address, or for STUN by the ICE name it is addressed to.
//! Owns both maps. Invariant: an address points to a transport only after that transport's ICE password was proven.
//! Never scans: a stranger costs two look-ups and is counted.

use std::collections::{HashMap, VecDeque};

use super::address::Address;
use super::key::Key;
use crate::limits::{ADDRESSES_PER_TRANSPORT, THREADS_AT_MOST};

#[derive(Debug, Default)]
pub(crate) struct Demux {
    by_address: HashMap<Address, Key>,
    by_name: HashMap<String, Key>,
    /// The addresses of each transport, oldest first.
    addresses: HashMap<Key, VecDeque<Address>>,
}

impl Demux {
    pub(crate) fn add(&mut self, key: Key, ufrag: String) {
        self.by_name.insert(ufrag, key);
        self.addresses.insert(key, VecDeque::new());
    }

    /// Forgets a transport; returns its addresses.
    pub(crate) fn remove(&mut self, key: Key, ufrag: &str) -> Vec<Address> {
        self.by_name.remove(ufrag);
        let addresses = self.addresses.remove(&key).unwrap_or_default();
        addresses.into_iter().filter(|address| self.release(*address, key)).collect()
    }

    pub(crate) fn by_address(&self, from: Address) -> Option<Key> {
        self.by_address.get(&from).copied()
    }

    pub(crate) fn by_name(&self, ufrag: &str) -> Option<Key> {
        self.by_name.get(ufrag).copied()
    }

    /// `from` proved to be this transport's client. Forgets its oldest address when it has too many, and returns it.
    pub(crate) fn learn(&mut self, from: Address, key: Key) -> Option<Address> {
        if self.by_address.insert(from, key) == Some(key) {
            return None;
        }
        let addresses = self.addresses.get_mut(&key)?;
        addresses.push_back(from);
        if addresses.len() <= ADDRESSES_PER_TRANSPORT {
            return None;
        }
        let oldest = addresses.pop_front()?;
        (oldest != from && self.release(oldest, key)).then_some(oldest)
    }

    /// False if the address is someone else's by now.
    fn release(&mut self, address: Address, key: Key) -> bool {
        let is_its = self.by_address.get(&address) == Some(&key);
        if is_its {
            self.by_address.remove(&address);
        }
        is_its
    }

    /// The address is someone else's by now.
    pub(crate) fn unlearn(&mut self, address: Address) {
        self.by_address.remove(&address);
    }

    /// Nobody is there any more. Returns the transport whose client was.
    pub(crate) fn forget(&mut self, address: Address) -> Option<Key> {
        let key = self.by_address.remove(&address)?;
        if let Some(addresses) = self.addresses.get_mut(&key) {
            addresses.retain(|other| *other != address);
        }
        Some(key)
    }

    /// How many entries there are, for tests of leaks.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_address.len() + self.by_name.len() + self.addresses.len()
    }
}

/// Whether this is STUN (RFC 7983 section 7): the first byte is 0 to 3.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= 20 && datagram[0] <= 3
}

/// The name a STUN request is addressed to: what stands before the colon in its USERNAME (RFC 8445 section 7.2.2).
pub(crate) fn addressee(stun: &[u8]) -> Option<&str> {
    const USERNAME: u16 = 0x0006;
    std::str::from_utf8(attribute(stun, USERNAME)?).ok()?.split(':').next()
}

/// The characters that ICE names are made of (RFC 8839 section 5.4): one for each media thread there can be.
const LETTERS: &[u8; THREADS_AT_MOST] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What names given out by a media thread begin with.
pub(crate) fn letter_of(thread: usize) -> char {
    char::from(LETTERS[thread % THREADS_AT_MOST])
}

/// The media thread that gave a name out, by its first letter. Other runs may have had more threads.
pub(crate) fn thread_of(name: &str) -> Option<usize> {
    LETTERS.iter().position(|letter| Some(letter) == name.as_bytes().first())
}

/// Whether the client chooses this path for media (RFC 8445 section 7.3.1.5).
pub(crate) fn nominates(stun: &[u8]) -> bool {
    const USE_CANDIDATE: u16 = 0x0025;
    attribute(stun, USE_CANDIDATE).is_some()
}

/// Whether libwebrtc wrote this check, as of Chromium and Safari: it tells what its network costs. It gives a connection up
/// when a check is refused, where Firefox waits for its own timeout all the same (seen in Chromium 156 and Firefox 140).
pub(crate) fn is_of_libwebrtc(stun: &[u8]) -> bool {
    const NETWORK_INFO: u16 = 0xc057;
    attribute(stun, NETWORK_INFO).is_some()
}

fn attribute(stun: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = stun.get(20..)?;
    while let [t0, t1, l0, l1, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let value = after.get(..length)?;
        if u16::from_be_bytes([*t0, *t1]) == wanted {
            return Some(value);
        }
        // Values are padded to four bytes.
        rest = after.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// Whether this is RTP or RTCP (RFC 7983 section 7): the first byte is 128 to 191.
pub(crate) fn is_rtp_or_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(128..=191))
}

/// The SSRC of an RTP packet (RFC 3550 section 5.1). None for RTCP, which has types 192 to 223 there (RFC 5761 section 4).
pub(crate) fn ssrc(datagram: &[u8]) -> Option<u32> {
    let [128..=191, kind, _, _, _, _, _, _, a, b, c, d, ..] = *datagram else { return None };
    (!matches!(kind, 192..=223)).then(|| u32::from_be_bytes([a, b, c, d]))
}

/// Whether this is DTLS (RFC 7983 section 7): the first byte is 20 to 63.
pub(crate) fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Address {
        Address::Udp(([192, 0, 2, 1], port).into())
    }

    #[test]
    fn an_address_follows_the_last_transport_that_proved_it() {
        let mut demux = Demux::default();
        demux.add(Key(1), "one".into());
        demux.add(Key(2), "two".into());
        demux.learn(address(5), Key(1));
        demux.learn(address(5), Key(2));
        assert_eq!(demux.by_address(address(5)), Some(Key(2)));
        demux.remove(Key(1), "one");
        assert_eq!(demux.by_address(address(5)), Some(Key(2)));
        demux.remove(Key(2), "two");
        assert_eq!(demux.len(), 0);
    }

    #[test]
    fn who_tells_what_its_network_costs_is_libwebrtc() {
        let header = [0_u8; 20];
        let with = |attributes: &[u8]| [header.as_slice(), attributes].concat();
        assert!(is_of_libwebrtc(&with(&[0, 6, 0, 1, b'x', 0, 0, 0, 0xc0, 0x57, 0, 4, 0, 1, 0, 10])));
        for other in [&[][..], &[0, 6, 0, 1, b'x', 0, 0, 0], &[0xc0, 0x57], &[0, 6, 0, 4, 0xc0, 0x57, 0, 0]] {
            assert!(!is_of_libwebrtc(&with(other)), "{other:?}");
        }
    }

    #[test]
    fn udp_and_tcp_from_one_port_are_two_clients() {
        let mut demux = Demux::default();
        demux.add(Key(1), "one".into());
        demux.add(Key(2), "two".into());
        let there = Address::Tcp(address(5).socket());
        demux.learn(address(5), Key(1));
        demux.learn(there, Key(2));
        assert_eq!((demux.by_address(address(5)), demux.by_address(there)), (Some(Key(1)), Some(Key(2))));
        assert_eq!(demux.forget(there), Some(Key(2)));
        assert_eq!((demux.by_address(address(5)), demux.by_address(there)), (Some(Key(1)), None));
        demux.remove(Key(1), "one");
        demux.remove(Key(2), "two");
        assert_eq!(demux.len(), 0);
    }

    #[test]
    fn a_transport_keeps_only_its_newest_addresses() {
        let mut demux = Demux::default();
        demux.add(Key(1), "one".into());
        for port in 1..=ADDRESSES_PER_TRANSPORT as u16 + 3 {
            demux.learn(address(port), Key(1));
        }
        assert_eq!(demux.by_address(address(3)), None);
        assert_eq!(demux.by_address(address(4)), Some(Key(1)));
    }
}

//! Where connections may go that others ask for: not into the network that Salon itself is in, however that is spelled.
//! Invariant: an address is judged as the number it stands for; what wraps an IPv4 address is judged as that too.
//! Names are judged by what they resolve to, by whoever connects, at that moment.
//! Source of the list: IANA's registries of special-purpose addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::network::Network;

/// Addresses that are not on the internet, or lead back from it.
const CLOSED: [&str; 24] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    // Clouds tell machines their secrets here.
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "64:ff9b:1::/48",
    "100::/64",
    // Teredo holds an IPv4 address too, hidden; nobody serves anything there.
    "2001::/32",
    "2001:db8::/32",
    "3fff::/20",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// What connections may go to.
#[derive(Debug, Clone)]
pub struct Borders {
    closed: Vec<Network>,
    allowed: Vec<Network>,
}

impl Borders {
    /// With networks that are open though they are private.
    pub fn new(allowed: Vec<Network>) -> Self {
        let closed = CLOSED.iter().map(|network| network.parse().expect("the list is of networks")).collect();
        Self { closed, allowed }
    }

    /// Whether connections may go to this address.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.allowed.iter().any(|network| network.has(address)) {
            return true;
        }
        let closed = self.closed.iter().any(|network| network.has(address));
        !closed && wrapped(address).is_none_or(|inner| self.admits(inner.into()))
    }
}

/// The IPv4 address that an IPv6 address is only a wrapping of.
fn wrapped(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let bits = address.to_bits();
    let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).to_bits() >> 32;
    match (bits >> 32, bits >> 112) {
        // ::/96, and the prefix that translates to IPv4.
        (prefix, _) if prefix == 0 || prefix == nat64 => Some(Ipv4Addr::from_bits(bits as u32)),
        // 6to4.
        (_, 0x2002) => Some(Ipv4Addr::from_bits((bits >> 80) as u32)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_closed_unless_it_is_opened() {
        let admits = |borders: &Borders, address: &str| borders.admits(address.parse().unwrap());
        let all = Borders::new(Vec::new());
        for closed in ["127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "169.254.169.254"] {
            assert!(!admits(&all, closed), "{closed}");
        }
        assert!(admits(&all, "8.8.8.8") && admits(&all, "2606:4700::1111") && admits(&all, "64:ff9b::808:808"));
        let some = Borders::new(vec!["10.1.0.0/16".parse().unwrap()]);
        assert!(admits(&some, "10.1.2.3") && admits(&some, "::ffff:10.1.2.3") && !admits(&some, "10.2.0.1"));
    }
}

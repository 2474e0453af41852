//! A network of addresses, as `10.0.0.0/8`; an address alone is one of its own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    /// How many bits of an address are the same.
    bits: u8,
}

impl Network {
    /// This computer.
    pub fn loopback() -> [Self; 2] {
        let v4 = Self { base: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 };
        [v4, Self { base: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 }]
    }

    /// This computer, and networks that are nobody's on the internet: where proxies stand.
    pub fn private() -> Vec<Self> {
        let v4 = |a, b, bits| Self { base: IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), bits };
        let v6 = |first, bits| Self { base: IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)), bits };
        let private = [v4(10, 0, 8), v4(172, 16, 12), v4(192, 168, 16), v4(100, 64, 10), v6(0xfc00, 7), v6(0xfe80, 10)];
        Self::loopback().into_iter().chain(private).collect()
    }

    /// Whether an address is in it.
    pub fn has(&self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, width: u8| {
            let differ = width - self.bits;
            one.checked_shr(differ.into()).unwrap_or(0) == other.checked_shr(differ.into()).unwrap_or(0)
        };
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => same(base.to_bits().into(), address.to_bits().into(), 32),
            (IpAddr::V6(base), IpAddr::V6(address)) => same(base.to_bits(), address.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "an address, or a network such as 10.0.0.0/8";
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let base: IpAddr = address.parse().map_err(|_| wrong)?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), |bits| bits.parse().map_err(|_| wrong))?;
        if bits > width { Err(wrong) } else { Ok(Self { base, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_their_addresses_and_no_others() {
        let has = |network: &str, address: &str| network.parse::<Network>().unwrap().has(address.parse().unwrap());
        assert!(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("192.0.2.7", "192.0.2.7") && !has("192.0.2.7", "192.0.2.6"));
        assert!(has("0.0.0.0/0", "192.0.2.7") && !has("0.0.0.0/0", "::1") && has("::/0", "::1"));
        assert!(has("2001:db8::/32", "2001:db8:ffff::1") && !has("2001:db8::/32", "2001:db9::1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "here"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let private = |address: &str| Network::private().iter().any(|network| network.has(address.parse().unwrap()));
        for here in ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.7.7", "fd00::1", "fe80::1"] {
            assert!(private(here), "{here}");
        }
        for public in ["192.0.2.1", "172.32.0.1", "2001:db8::1", "::2"] {
            assert!(!private(public), "{public}");
        }
    }
}

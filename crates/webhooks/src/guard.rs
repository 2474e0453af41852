//! Where requests may go: not into the network that Salon itself is in, however that is spelled.
//! Invariant: an address is judged as the number it stands for; what wraps an IPv4 address is judged as that too.
//! Names are judged by what they resolve to, at the moment of connecting, in `post.rs`.
//! Source of the list: IANA's registries of special-purpose addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use salon_edge::Network;

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

/// Why an address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("must be a valid uri")]
    NotAnAddress,
    #[error("must begin with https:// or http://")]
    Scheme,
    #[error("must not hold a user name or password")]
    Credentials,
    #[error("must not lead into a private network (webhooks.allow opens networks)")]
    Private,
}

/// What this node lets requests go to.
#[derive(Debug, Clone)]
pub struct Guard {
    closed: Vec<Network>,
    allowed: Vec<Network>,
}

impl Guard {
    /// With networks that are open though they are private.
    pub fn new(allowed: Vec<Network>) -> Self {
        let closed = CLOSED.iter().map(|network| network.parse().expect("the list is of networks")).collect();
        Self { closed, allowed }
    }

    /// Whether requests may go to this address.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.allowed.iter().any(|network| network.has(address)) {
            return true;
        }
        let closed = self.closed.iter().any(|network| network.has(address));
        !closed && wrapped(address).is_none_or(|inner| self.admits(inner.into()))
    }

    /// Reads the address of a webhook. What a name leads to is not looked up here.
    pub fn judge(&self, url: &str) -> Result<Url, Refused> {
        let url = Url::parse(url).map_err(|_| Refused::NotAnAddress)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Refused::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        let host = url.host_str().ok_or(Refused::NotAnAddress)?;
        // The parser has turned whatever stands for a number into its usual form.
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        match address {
            Some(address) if !self.admits(address) => Err(Refused::Private),
            _ => Ok(url),
        }
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

    fn guard(allowed: &[&str]) -> Guard {
        Guard::new(allowed.iter().map(|network| network.parse().expect("a network")).collect())
    }

    #[test]
    fn private_networks_are_refused_in_every_spelling() {
        let guard = guard(&[]);
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "１２７.0.0.1",
            "0",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[2002:a00:1::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[ff02::1]",
            "[2001:0:1::1]",
        ] {
            let said = guard.judge(&format!("http://{host}:8080/hook")).map(|url| url.to_string());
            assert_eq!(said, Err(Refused::Private), "{host}");
        }
    }

    #[test]
    fn the_internet_is_open() {
        let guard = guard(&[]);
        for url in [
            "https://example.org/hook?a=b",
            "http://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "https://172.32.0.1/",
            "https://[64:ff9b::8.8.8.8]/",
            "https://[2002:808:808::1]/",
            // What it leads to is seen when it is looked up.
            "http://localhost/",
        ] {
            assert!(guard.judge(url).is_ok(), "{url}");
        }
        for (url, why) in [
            ("", Refused::NotAnAddress),
            ("example.org", Refused::NotAnAddress),
            ("http://", Refused::NotAnAddress),
            ("http://256.256.256.256/", Refused::NotAnAddress),
            ("ftp://example.org/", Refused::Scheme),
            ("file:///etc/passwd", Refused::Scheme),
            ("javascript:alert(1)", Refused::Scheme),
            ("https://user:pass@example.org/", Refused::Credentials),
            ("https://user@example.org/", Refused::Credentials),
        ] {
            assert_eq!(guard.judge(url).err(), Some(why), "{url}");
        }
    }

    #[test]
    fn networks_can_be_opened() {
        let guard = guard(&["127.0.0.0/8", "10.1.0.0/16", "::1"]);
        for host in ["127.0.0.1", "2130706433", "10.1.2.3", "[::1]", "[::ffff:10.1.2.3]"] {
            assert!(guard.judge(&format!("http://{host}/")).is_ok(), "{host}");
        }
        for host in ["10.2.0.1", "192.168.0.1", "[fe80::1]"] {
            assert!(guard.judge(&format!("http://{host}/")).is_err(), "{host}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "localhost", "10.0.0.0/-1"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        let open = Guard::new(vec!["0.0.0.0/0".parse().expect("a network")]);
        assert!(open.admits(Ipv4Addr::LOCALHOST.into()), "all of it");
    }
}

//! Where requests may go: not into the network that Salon itself is in, however that is spelled (`salon_edge::Borders`).
//! Invariant: an address is judged as the number it stands for.
//! Names are judged by what they resolve to, at the moment of connecting, in `post.rs`.

use std::net::IpAddr;

use reqwest::Url;
use salon_edge::{Borders, Network};

/// Why an address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("must be a valid uri")]
    NotAnAddress,
    #[error("must begin with https:// or http://")]
    Scheme,
    #[error("must begin with rtmp:// or rtmps://")]
    StreamScheme,
    #[error("must not hold a user name or password")]
    Credentials,
    #[error("must not lead into a private network (webhooks.allow opens networks)")]
    Private,
}

/// What this node lets requests go to.
#[derive(Debug, Clone)]
pub struct Guard(Borders);

impl Guard {
    /// With networks that are open though they are private.
    pub fn new(allowed: Vec<Network>) -> Self {
        Self(Borders::new(allowed))
    }

    /// Whether requests may go to this address.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.0.admits(address)
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

    /// The same of an address that is streamed to.
    pub fn judge_stream(&self, url: &str) -> Result<(), Refused> {
        let (scheme, rest) = url.split_once("://").ok_or(Refused::StreamScheme)?;
        if !["rtmp", "rtmps"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(Refused::StreamScheme);
        }
        // Only of web addresses the parser turns whatever stands for a number into its usual form.
        self.judge(&format!("http://{rest}")).map(drop)
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
            assert_eq!(guard.judge_stream(&format!("rtmp://{host}:1935/live/key")), Err(Refused::Private), "{host}");
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
    fn streams_go_to_addresses_of_their_own_kind() {
        let guard = guard(&["127.0.0.0/8"]);
        for url in ["rtmp://127.0.0.1/live/key", "RTMPS://example.org:443/app/key?a=b", "rtmp://[2606:4700::1111]/live/key"] {
            assert_eq!(guard.judge_stream(url), Ok(()), "{url}");
        }
        for (url, why) in [
            ("", Refused::StreamScheme),
            ("https://example.org/live", Refused::StreamScheme),
            ("rtmpt://example.org/live", Refused::StreamScheme),
            ("file:///etc/passwd", Refused::StreamScheme),
            ("rtmp://", Refused::NotAnAddress),
            ("rtmp://user:pass@example.org/live/key", Refused::Credentials),
            ("rtmp://10.0.0.1/live/key", Refused::Private),
        ] {
            assert_eq!(guard.judge_stream(url), Err(why), "{url}");
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
        assert!(open.admits(std::net::Ipv4Addr::LOCALHOST.into()), "all of it");
    }
}

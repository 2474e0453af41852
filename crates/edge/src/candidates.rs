//! What browsers think of network addresses.

use std::net::{IpAddr, SocketAddr};

/// Whether browsers take this for a candidate (read in libwebrtc, `VerifyCandidate`); they refuse a description with others.
pub fn browsers_take(address: SocketAddr) -> bool {
    let private = match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local(),
    };
    match address.port() {
        80 | 443 => !private,
        port => port >= 1_024,
    }
}

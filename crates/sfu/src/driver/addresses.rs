//! Which addresses clients are told. Pure but for the question what this machine has.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Where clients reach a socket: the announced addresses with its port; else the bound one; else all of this machine.
pub fn addresses(local: SocketAddr, announce: &[IpAddr]) -> Vec<SocketAddr> {
    let mut found = match announce {
        [] if local.ip().is_unspecified() => machine(local.is_ipv6()),
        [] => vec![local.ip()],
        given => given.to_vec(),
    };
    let mut seen = Vec::new();
    found.retain(|a| {
        !a.is_unspecified() && !seen.contains(a) && {
            seen.push(*a);
            true
        }
    });
    found.into_iter().map(|ip| SocketAddr::new(ip, local.port())).collect()
}

/// All addresses of this machine that a client could reach, loopback last. Link-local ones need a scope that
/// candidates cannot carry.
fn machine(with_ipv6: bool) -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_link_local(),
        IpAddr::V6(v6) => with_ipv6 && !v6.is_unicast_link_local(),
    };
    let mut addresses: Vec<IpAddr> = interfaces.into_iter().map(|i| i.ip()).filter(usable).collect();
    if addresses.is_empty() {
        addresses.extend(towards_the_world());
    }
    addresses.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    addresses
}

/// The address packets to the internet would leave from; nothing is sent by connecting a UDP socket.
fn towards_the_world() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(local: &str, announce: &[&str], expected: &[&str]) {
        let announce: Vec<IpAddr> = announce.iter().map(|a| a.parse().expect("an address")).collect();
        let expected: Vec<SocketAddr> = expected.iter().map(|a| a.parse().expect("an address")).collect();
        assert_eq!(addresses(local.parse().expect("an address"), &announce), expected);
    }

    #[test]
    fn announced_addresses_get_the_socket_port() {
        check("0.0.0.0:4000", &["203.0.113.7", "2001:db8::1"], &["203.0.113.7:4000", "[2001:db8::1]:4000"]);
        check("10.0.0.1:4000", &["203.0.113.7", "203.0.113.7", "0.0.0.0"], &["203.0.113.7:4000"]);
    }

    #[test]
    fn a_bound_address_is_announced_itself() {
        check("127.0.0.1:4000", &[], &["127.0.0.1:4000"]);
        check("[::1]:4000", &[], &["[::1]:4000"]);
    }

    #[test]
    fn an_unspecified_address_stands_for_all_of_the_machine() {
        let all = addresses(SocketAddr::from(([0, 0, 0, 0], 4_000)), &[]);
        assert!(!all.is_empty());
        assert!(all.iter().all(|a| a.is_ipv4() && a.port() == 4_000 && !a.ip().is_unspecified()));
    }
}

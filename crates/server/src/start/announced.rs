//! What clients are told to connect to for media over TCP.

use std::net::SocketAddr;

use salon_edge::browsers_take;

use crate::config::{Config, Mode};

/// Addresses that clients are told unless they are set: they open a connection to each, from each of their networks, if only
/// to close it when UDP works.
const ANNOUNCED: usize = 4;

/// What clients are told to connect to for media, when these ports take it.
pub fn announced(config: &Config, ports: &[SocketAddr]) -> Vec<SocketAddr> {
    let settings = &config.media;
    if !settings.tcp_announce.is_empty() {
        return settings.tcp_announce.clone();
    }
    let all_clients_are_here = config.mode == Mode::Dev || settings.ip.to_canonical().is_loopback();
    let reachable = |port: &SocketAddr| match port.ip().to_canonical().is_loopback() {
        // A proxy stands before it.
        true if !all_clients_are_here => Vec::new(),
        true => vec![*port],
        false => salon_sfu::addresses(*port, &settings.announce),
    };
    let (taken, refused): (Vec<_>, Vec<_>) = ports.iter().flat_map(reachable).partition(|a| browsers_take(*a));
    if !refused.is_empty() {
        tracing::warn!(
            addresses = refused.len(),
            "clients are not told of addresses that browsers refuse for media over TCP: ports below 1024 other than 80 and \
             443, and these on private addresses; see media.tcp_listen"
        );
    }
    taken.into_iter().take(ANNOUNCED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_what_they_can_reach() {
        let mut config = Config::default();
        let mut check = |announce: &[&str], tcp_announce: &[&str], ports: &[&str], expected: &[&str]| {
            config.media.announce = announce.iter().map(|a| a.parse().unwrap()).collect();
            config.media.tcp_announce = tcp_announce.iter().map(|a| a.parse().unwrap()).collect();
            let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
            assert_eq!(announced(&config, &parse(ports)), parse(expected));
        };
        check(&["203.0.113.7"], &[], &["0.0.0.0:8787"], &["203.0.113.7:8787"]);
        check(&["203.0.113.7"], &[], &["10.0.0.4:3478", "[::]:3478"], &["203.0.113.7:3478", "203.0.113.7:3478"]);
        // A proxy is in front.
        check(&["203.0.113.7"], &[], &["127.0.0.1:8787"], &[]);
        check(&["203.0.113.7"], &["203.0.113.8:443"], &["127.0.0.1:8787"], &["203.0.113.8:443"]);
        // Browsers would refuse the whole answer.
        check(&["10.0.0.4", "203.0.113.7"], &[], &["0.0.0.0:443"], &["203.0.113.7:443"]);
        check(&["203.0.113.7"], &[], &["0.0.0.0:81"], &[]);
        let mut config = Config { mode: Mode::Dev, ..Config::default() };
        config.media.announce = vec!["203.0.113.7".parse().unwrap()];
        let here: SocketAddr = "127.0.0.1:8787".parse().unwrap();
        assert_eq!(announced(&config, &[here]), [here]);
    }
}

//! The TCP ports of a node: who connects to the one for HTTP, and whether a connection is media instead.
//! People whose network lets no UDP out can reach only a port that serves the web, so both share one: the first byte
//! tells them apart. Where a proxy stands before it, media has ports of its own.
//! Invariant: who says nothing keeps nobody waiting, and is treated as HTTP in the end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::serve::Listener;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use salon_sfu::Sfu;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::app::is_loopback;
use crate::config::{Config, Mode};

/// Connections that have said nothing yet. Past it new ones are HTTP at once, so that a flood of silent ones costs those
/// their calls who need TCP, and nobody their page.
const SILENT: usize = 2_048;

/// How long to wait for the first byte. Clients of the media server send it at once.
const FIRST_BYTE_WITHIN: Duration = Duration::from_secs(10);

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Addresses that clients are told unless they are set: they open a connection to each, from each of their networks, if only
/// to close it when UDP works.
const ANNOUNCED: usize = 4;

/// A port that is taken, but not open yet: who connects is refused.
pub struct Port(TcpSocket);

impl Port {
    /// Takes a port. Port 0 takes any.
    ///
    /// # Errors
    /// If it is in use, or not of this machine.
    pub fn take(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of an earlier run may linger.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self(socket))
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Opens it.
    ///
    /// # Errors
    /// If another server has opened it meanwhile.
    pub fn open(self) -> io::Result<TcpListener> {
        self.0.listen(BACKLOG)
    }
}

/// What clients are told to connect to for media, when these ports take it.
pub fn announced(config: &Config, ports: &[SocketAddr]) -> Vec<SocketAddr> {
    let settings = &config.media;
    if !settings.tcp_announce.is_empty() {
        return settings.tcp_announce.clone();
    }
    let all_clients_are_here = config.mode == Mode::Dev || is_loopback(settings.ip);
    let reachable = |port: &SocketAddr| match is_loopback(port.ip()) {
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

/// The port for HTTP, and for media if it may come there.
pub struct Door {
    http: TcpListener,
    media: Option<Sfu>,
    silent: FuturesUnordered<BoxFuture<'static, Visitor>>,
}

/// A connection, and whether it is media.
struct Visitor {
    stream: TcpStream,
    from: SocketAddr,
    media: bool,
}

impl Door {
    /// With `media`, connections that are media go there.
    pub fn new(http: TcpListener, media: Option<Sfu>) -> Self {
        Self { http, media, silent: FuturesUnordered::new() }
    }
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            tokio::select! {
                (stream, from) = Listener::accept(&mut self.http) => {
                    if self.media.is_none() || self.silent.len() >= SILENT {
                        return (stream, from);
                    }
                    self.silent.push(Box::pin(first_byte(stream, from)));
                }
                Some(Visitor { stream, from, media }) = self.silent.next() => match &self.media {
                    Some(sfu) if media => {
                        let sfu = sfu.clone();
                        tokio::spawn(async move { sfu.adopt(stream).await });
                    }
                    _ => return (stream, from),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.http.local_addr()
    }
}

async fn first_byte(stream: TcpStream, from: SocketAddr) -> Visitor {
    let mut first = [0];
    let said = tokio::time::timeout(FIRST_BYTE_WITHIN, stream.peek(&mut first)).await;
    Visitor { stream, from, media: matches!(said, Ok(Ok(1))) && salon_sfu::begins_media(first[0]) }
}

/// Takes media on a port of its own until the node stops.
pub async fn media_only(mut listener: TcpListener, sfu: Sfu, stop: CancellationToken) {
    while let Some((stream, _)) = stop.run_until_cancelled(Listener::accept(&mut listener)).await {
        let sfu = sfu.clone();
        tokio::spawn(async move { sfu.adopt(stream).await });
    }
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

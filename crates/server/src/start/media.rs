//! The media server: its UDP ports, and the TCP connections that are for it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use salon_doors::keys::digest;
use salon_edge::{Aside, Port};
use salon_handover::Received;
use salon_sfu::{Event, Handed, Resumed, Sfu, StartError};
use tokio::sync::mpsc;

use super::announced::announced;
use super::{certificate, memory, packed};
use crate::config::{Config, Mode};

/// Ports that take media over TCP.
pub struct TcpPorts {
    /// The port for HTTP takes media too.
    pub shares: bool,
    /// Those of its own, taken and not open yet.
    pub own: Vec<Port>,
    /// All of them.
    at: Vec<SocketAddr>,
}

impl TcpPorts {
    /// Takes them; `http` is where the port for HTTP is.
    pub fn take(config: &Config, http: SocketAddr, handed: Option<&Received>) -> anyhow::Result<Self> {
        let shares = config.media.tcp && config.media.tcp_listen.is_empty();
        let mut ports = Self { shares, own: Vec::new(), at: if shares { vec![http] } else { Vec::new() } };
        for address in &config.media.tcp_listen {
            let packed = packed::all(handed, &Port::packed_as(&Self::name(ports.own.len())))?;
            let taken = Port::handed(packed, *address).and_then(|port| Ok((port.address()?, port)));
            let (at, port) = taken.with_context(|| format!("cannot listen on {address} (media.tcp_listen)"))?;
            ports.at.push(at);
            ports.own.push(port);
        }
        Ok(ports)
    }

    /// By what one of its own is handed over.
    pub fn name(number: usize) -> String {
        format!("media {number}")
    }
}

/// Connections over TCP that are for the media server.
pub fn aside(sfu: Sfu) -> Aside {
    let take = move |stream| {
        let sfu = sfu.clone();
        tokio::spawn(async move { sfu.adopt(stream).await });
    };
    Aside { begins: salon_sfu::begins_media, take: Arc::new(take) }
}

/// The handle, what it hears, and what of the run before goes on.
pub type Started = (Sfu, mpsc::Receiver<Event>, Vec<Resumed>);

/// The media server, on the configured port; for `salon dev` a default port that is taken gives way to a free one.
pub fn start(config: &Config, secret: &str, tcp: &TcpPorts, handed: Option<Vec<Handed>>) -> anyhow::Result<Started> {
    let tcp = announced(config, &tcp.at);
    let certificate = certificate::lasting(&config.data.join("media-certificate"))
        .with_context(|| format!("cannot keep the certificate for media in {}", config.data.display()))?;
    let with = |port| salon_sfu::Config {
        bind: SocketAddr::new(config.media.ip, port),
        threads: config.media.threads,
        single_port: config.media.single_port,
        room_per_thread: config.media.room_per_thread,
        announce: config.media.announce.clone(),
        tcp: tcp.clone(),
        secret: Some(salon_sfu::Secret(digest(&format!("ice {secret}")))),
        certificate: certificate.clone(),
        // Another port would be another server for clients.
        memory: (config.media.resume && port != 0).then(|| memory::folder(&config.data)),
        relay: config.relay(),
        hand_over: true,
        limits: config.media_limits(),
    };
    if handed.is_some() {
        return salon_sfu::resume(with(config.media.port), handed).context("cannot go on with media");
    }
    match salon_sfu::resume(with(config.media.port), None) {
        Err(error @ StartError::Relay(..)) => {
            Err(error).context("cluster.spread needs the port of cluster.listen over UDP as well; is another program using it?")
        }
        Err(error) if config.mode == Mode::Dev && config.media.port_is_default => {
            tracing::warn!(port = config.media.port, %error, "the default media port is taken, using a free one");
            salon_sfu::resume(with(0), None).context("cannot open a media port")
        }
        started => started.with_context(|| format!("cannot open the media port {}", config.media.port)),
    }
}

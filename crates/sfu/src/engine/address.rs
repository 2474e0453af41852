//! Where a client is, and over what: the same IP address and port may stand for one client on UDP and another on TCP. And
//! what comes from there.

use std::net::SocketAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use str0m::net::Protocol;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Address {
    Udp(SocketAddr),
    Tcp(SocketAddr),
}

impl Address {
    /// As str0m says it. All its protocols but UDP run over TCP.
    pub(crate) fn new(protocol: Protocol, socket: SocketAddr) -> Self {
        match protocol {
            Protocol::Udp => Self::Udp(socket),
            Protocol::Tcp | Protocol::SslTcp | Protocol::Tls => Self::Tcp(socket),
        }
    }

    pub(crate) fn socket(self) -> SocketAddr {
        match self {
            Self::Udp(socket) | Self::Tcp(socket) => socket,
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Udp(_) => Protocol::Udp,
            Self::Tcp(_) => Protocol::Tcp,
        }
    }
}

/// What a client sent, on its way in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram<'a> {
    pub now: Instant,
    /// When this machine had it; before `now` if it was not looked at at once.
    pub came: Instant,
    pub from: Address,
    pub to: SocketAddr,
    pub bytes: &'a [u8],
}

//! What media threads hand over to another process: their sockets, the words that numbers lie in, and their connections.
//! Descriptors are lent by whoever packs, and owned by whoever goes on.

use std::fs::File;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::RawFd;

use super::tcp::lobby::canonical;
use crate::engine::saved::VERSION;

/// Of the form of what is packed: only a process that knows the same goes on with it.
pub const PACKED: u32 = VERSION;

/// One media thread. It does nothing more until its release is dropped.
#[derive(Debug)]
pub struct Packed {
    pub udp: RawFd,
    /// None if connections cannot be handed over.
    pub words: Option<RawFd>,
    /// Each connection, in this version's own form.
    pub saved: Vec<String>,
    pub tcp: Vec<PackedTcp>,
}

/// A connection of a client without UDP.
#[derive(Debug)]
pub struct PackedTcp {
    pub stream: RawFd,
    /// The beginning of a frame that came in.
    pub partial: Vec<u8>,
    /// What could not be written yet.
    pub queue: Vec<u8>,
}

/// One media thread's, as it was packed.
#[derive(Debug)]
pub struct Handed {
    pub udp: UdpSocket,
    pub words: Option<File>,
    pub saved: Vec<String>,
    pub tcp: Vec<HandedTcp>,
}

#[derive(Debug)]
pub struct HandedTcp {
    pub stream: TcpStream,
    pub partial: Vec<u8>,
    pub queue: Vec<u8>,
}

impl HandedTcp {
    /// Where its client is.
    pub(super) fn from(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok().map(canonical)
    }
}

//! A TCP port in two steps: taken, then open. What is told to clients before it opens is then known to be ours.

use std::io;
use std::net::SocketAddr;

use salon_handover::Unpacked;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// A port that is taken, but not open yet: who connects is refused, or waits where another process has opened it.
pub struct Port(Taken);

enum Taken {
    Fresh(TcpSocket),
    Handed(std::net::TcpListener),
}

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
        Ok(Self(Taken::Fresh(socket)))
    }

    /// What the port of this name is packed as, for another process.
    pub fn packed_as(name: &str) -> String {
        format!("port {name}")
    }

    /// One that another process has opened and packed, if it has, else as [`Port::take`].
    ///
    /// # Errors
    /// As [`Port::take`].
    pub fn handed(packed: Vec<Unpacked>, address: SocketAddr) -> io::Result<Self> {
        let Some(descriptor) = packed.into_iter().flat_map(|packed| packed.descriptors).next() else {
            return Self::take(address);
        };
        let listener = std::net::TcpListener::from(descriptor);
        listener.set_nonblocking(true)?;
        Ok(Self(Taken::Handed(listener)))
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Taken::Fresh(socket) => socket.local_addr(),
            Taken::Handed(listener) => listener.local_addr(),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// If another server has opened it meanwhile.
    pub fn open(self) -> io::Result<TcpListener> {
        match self.0 {
            Taken::Fresh(socket) => socket.listen(BACKLOG),
            Taken::Handed(listener) => TcpListener::from_std(listener),
        }
    }
}

//! A TCP port in two steps: taken, then open. What is told to clients before it opens is then known to be ours.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

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

//! The socket: reads and sends single datagrams without blocking.
//! Addresses are canonical on the inside: on a dual-stack socket IPv4 appears as IPv4, not as mapped IPv6.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::DATAGRAM_BYTES;

/// Kernel buffers, in bytes: about a second of 30 Mbit/s. The system may grant less; that is not an error.
const SOCKET_BUFFER: usize = 4 << 20;

pub(super) struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
    buffer: Box<[u8; DATAGRAM_BYTES]>,
}

pub(super) enum Sent {
    Yes,
    BufferFull,
    Failed,
}

impl Udp {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into());
        let local = socket.local_addr()?;
        Ok(Self { socket, local, buffer: Box::new([0; DATAGRAM_BYTES]) })
    }

    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next datagram, or None if there is none for now.
    pub(super) fn receive(&mut self) -> Option<(SocketAddr, &[u8])> {
        loop {
            match self.socket.recv_from(&mut self.buffer[..]) {
                Ok((length, from)) => return Some((canonical(from), &self.buffer[..length])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // An earlier send met a closed port, or a signal came: says nothing about what is waiting.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    tracing::debug!(%error, "socket cannot be read");
                    return None;
                }
            }
        }
    }

    pub(super) fn send(&self, to: SocketAddr, bytes: &[u8]) -> Sent {
        let to = match (self.local.is_ipv6(), to) {
            (true, SocketAddr::V4(v4)) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
            _ => to,
        };
        match self.socket.send_to(bytes, to) {
            Ok(_) => Sent::Yes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::BufferFull,
            Err(_) => Sent::Failed,
        }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(v6) => match Ipv6Addr::to_ipv4_mapped(&v6) {
            Some(v4) => SocketAddr::from((v4, address.port())),
            None => address,
        },
        IpAddr::V4(_) => address,
    }
}
